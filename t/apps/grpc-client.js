// SPDX-License-Identifier: Apache-2.0
// node grpc-client.js HOST:PORT: visitors with a header of their own, who ask
// and then read a stream. Prints one line of JSON when the streams have begun,
// and another one when they have ended (a server was killed meanwhile).
'use strict';
const grpc = require('@grpc/grpc-js');
const Test = grpc.makeGenericClientConstructor(require('./grpc.js'), 'Test');
const VISITORS = 12;

function visitor(n) {
    const client = new Test(process.argv[2], grpc.credentials.createInsecure(),
        { 'grpc.use_local_subchannel_pool': 1, 'grpc.enable_retries': 0 });
    const md = new grpc.Metadata();
    md.set('x-user', `user${n}`);
    const v = { names: new Set(), errors: 0, odd: 0, code: null };
    const deadline = () => ({ deadline: Date.now() + 15000 });
    v.ask = (text) => new Promise((done) => client.Who({ text }, md, deadline(), (e, r) => {
        if (e) { v.errors++; v.error = String(e); }
        else {
            v.names.add(r.name);
            if (r.text !== text) v.odd++;
        }
        done();
    }));
    v.stream = (n, begun) => new Promise((done) => {
        let next = 0;
        const call = client.Count({ n }, md, deadline());
        call.on('data', (m) => {
            if (m.i !== next++) v.odd++;
            v.names.add(m.name);
            if (next === 3) begun();
        });
        call.on('error', () => { });
        call.on('status', (s) => { v.code = s.code; v.details = s.details; v.read = next; begun(); done(); });
    });
    return v;
}

async function main() {
    const all = Array.from({ length: VISITORS }, (_, n) => visitor(n));
    for (let i = 0; i < 10; i++) await Promise.all(all.map((v) => v.ask(`${i}`)));
    await Promise.all(all.map((v) => v.stream(20, () => { })));
    const state = () => all.map((v) => ({ ...v, names: [...v.names] }));
    const before = state();
    const ends = [];
    await Promise.all(all.map((v) => new Promise((begun) => { ends.push(v.stream(150, begun)); })));
    console.log(JSON.stringify(before));
    await Promise.all(ends);
    console.log(JSON.stringify(state()));
    process.exit(0);
}
main();
