// SPDX-License-Identifier: Apache-2.0
// What the gRPC server and its client have in common: two methods, JSON in the
// messages.
'use strict';
const pack = (value) => Buffer.from(JSON.stringify(value));
const unpack = (bytes) => JSON.parse(bytes.toString());
const method = (name, responseStream) => ({ path: `/test.Test/${name}`,
    requestStream: false, responseStream, requestSerialize: pack,
    requestDeserialize: unpack, responseSerialize: pack, responseDeserialize: unpack });
module.exports = { Who: method('Who', false), Count: method('Count', true) };
