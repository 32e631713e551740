// SPDX-License-Identifier: Apache-2.0
// A gRPC server without TLS: Who says its name, Count counts for a while.
'use strict';
const grpc = require('@grpc/grpc-js');
const name = process.env.NAME;
const server = new grpc.Server();
server.addService(require('./grpc.js'), {
    Who: (call, done) => done(null, { name, text: call.request.text }),
    Count: (call) => {
        let i = 0;
        const timer = setInterval(() => {
            call.write({ name, i });
            if (++i === call.request.n) { clearInterval(timer); call.end(); }
        }, 20);
        call.on('cancelled', () => clearInterval(timer));
    },
});
server.bindAsync(`127.0.0.1:${process.env.PORT}`, grpc.ServerCredentials.createInsecure(),
    (e) => { if (e) throw e; });
