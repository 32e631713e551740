// SPDX-License-Identifier: Apache-2.0
// node mcp-client.js URL: clients that each call a tool again and again. Prints
// one line of JSON, and another one after a line on its input (a server was
// killed meanwhile).
'use strict';
const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const { StreamableHTTPClientTransport } =
    require('@modelcontextprotocol/sdk/client/streamableHttp.js');

async function visitor(url) {
    const v = { names: new Set(), errors: 0, odd: 0 };
    v.client = new Client({ name: 'test', version: '1.0.0' });
    v.client.onerror = () => { };
    await v.client.connect(new StreamableHTTPClientTransport(new URL(url)));
    v.call = async () => {
        try {
            const r = await v.client.callTool({ name: 'whoami' }, undefined, { timeout: 5000 });
            const text = r.content[0].text;
            if (!/^mcp\d$/.test(text)) v.odd++;
            v.names.add(text);
        } catch (e) { v.errors++; v.error = String(e); }
    };
    return v;
}

async function main() {
    const url = process.argv[2];
    const all = [];
    for (let n = 0; n < 12; n++) {
        try { all.push(await visitor(url)); } catch (e) {
            all.push({ names: new Set(), errors: 1, odd: 0, error: String(e), call: async () => { } });
        }
    }
    const state = () => all.map((v) => ({ names: [...v.names], errors: v.errors, odd: v.odd, error: v.error }));
    for (let i = 0; i < 10; i++) await Promise.all(all.map((v) => v.call()));
    console.log(JSON.stringify(state()));
    await new Promise((done) => process.stdin.once('data', done));
    for (const v of all) { v.errors = 0; v.error = undefined; }
    await Promise.all(all.map((v) => v.call()));
    console.log(JSON.stringify(state()));
    process.exit(0);
}
main();
