// Rooms of Socket.IO, over WebSocket only, with acks.
//
//     node socketio_group.mjs PORT [tokens]
//
// With `tokens`, clients need one of $ACCESS_KEY (HS256) in ?access_token=, which a middleware checks.
import http from "node:http";
import { Server } from "socket.io";
import { isAllowed } from "./tokens.mjs";

const [port, tokens] = process.argv.slice(2);
const server = http.createServer();
const io = new Server(server, { transports: ["websocket"], perMessageDeflate: false });

if (tokens) {
  io.use((socket, next) =>
    isAllowed(socket.handshake.query.access_token ?? "") ? next() : next(new Error("unauthorized")),
  );
}

io.on("connection", (socket) => {
  socket.on("join", (group, ack) => {
    socket.join(group);
    ack();
  });
  socket.on("send", (group, data, ack) => {
    io.to(group).emit("message", group, data);
    ack?.();
  });
});

server.listen(+port, "127.0.0.1", 4096);
