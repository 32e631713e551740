// SPDX-License-Identifier: Apache-2.0
// Socket.IO: says its name with what it was told.
'use strict';
const http = require('http').createServer();
const io = new (require('socket.io').Server)(http);
io.on('connection', (socket) => {
    socket.on('say', (text, done) => done(`${process.env.NAME} ${text}`));
});
http.listen(process.env.PORT, '127.0.0.1');
