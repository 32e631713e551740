// SPDX-License-Identifier: Apache-2.0
// A Model Context Protocol server over streamable HTTP, with sessions: it hands
// out Mcp-Session-Id, and knows no session but its own.
'use strict';
const http = require('http');
const { randomUUID } = require('crypto');
const { McpServer } = require('@modelcontextprotocol/sdk/server/mcp.js');
const { StreamableHTTPServerTransport } =
    require('@modelcontextprotocol/sdk/server/streamableHttp.js');

const sessions = new Map();

async function begin() {
    const transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: (id) => { sessions.set(id, transport); },
    });
    const server = new McpServer({ name: process.env.NAME, version: '1.0.0' });
    server.registerTool('whoami', { description: 'the name of this server' },
        async () => ({ content: [{ type: 'text', text: process.env.NAME }] }));
    await server.connect(transport);
    return transport;
}

http.createServer(async (req, res) => {
    const id = req.headers['mcp-session-id'];
    const transport = id ? sessions.get(id) : await begin();
    if (!transport) {
        res.writeHead(404, { 'Content-Type': 'application/json' });
        res.end('{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}');
        return;
    }
    await transport.handleRequest(req, res);
}).listen(process.env.PORT, '127.0.0.1');
