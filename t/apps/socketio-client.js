// SPDX-License-Identifier: Apache-2.0
// node socketio-client.js URL PATH: visitors that poll, then take a websocket,
// and others that only poll. Prints one line of JSON when each has spoken, and
// another one after a line on its input (a server was killed meanwhile).
'use strict';
const { io } = require('socket.io-client');
const [url, path] = process.argv.slice(2);
const ROUNDS = 20;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

function visitor(n) {
    const polls = n % 2 === 1;
    const v = { n, polls, names: new Set(), odd: 0, dropped: 0, upgraded: false };
    v.socket = io(url, { path, withCredentials: true, forceNew: true,
        reconnectionDelay: 100, reconnectionDelayMax: 300, timeout: 5000,
        transports: polls ? ['polling'] : ['polling', 'websocket'] });
    v.socket.on('disconnect', () => { v.dropped++; });
    v.say = async (i) => {
        const answer = await v.socket.timeout(3000).emitWithAck('say', `${n}-${i}`);
        const [name, text] = answer.split(' ');
        v.names.add(name);
        if (text !== `${n}-${i}`) v.odd++;
        v.upgraded = v.socket.io.engine.transport.name === 'websocket';
    };
    return v;
}

async function main() {
    const all = Array.from({ length: 20 }, (_, n) => visitor(n));
    await Promise.all(all.map(async (v) => {
        for (let i = 0; i < ROUNDS; i++) {
            try { await v.say(i); } catch (e) { v.error = String(e); }
            await wait(20);
        }
    }));
    const state = () => all.map((v) => ({ names: [...v.names], odd: v.odd,
        polls: v.polls, dropped: v.dropped, upgraded: v.upgraded, error: v.error }));
    console.log(JSON.stringify(state()));
    await new Promise((done) => process.stdin.once('data', done));
    await wait(1500);
    await Promise.all(all.map(async (v) => {
        v.names.clear();
        v.error = undefined;
        for (let i = 0; i < 40; i++) {
            try { await v.say(i); v.back = true; } catch (e) { await wait(200); }
            if (v.back && i > 5) break;
        }
        if (!v.back) v.error = 'not back';
    }));
    console.log(JSON.stringify(state()));
    process.exit(0);
}
main();
