// Groups on the `ws` package: JSON in, JSON out, as one writes it. Its clients speak the JSON subprotocol.
//
//     node ws_group.mjs PORT [tokens]
//
// With `tokens`, clients need one of $ACCESS_KEY (HS256) in ?access_token=, which is checked before the upgrade.
import { randomUUID } from "node:crypto";
import http from "node:http";
import { WebSocketServer } from "ws";
import { isAllowed } from "./tokens.mjs";

const [port, tokens] = process.argv.slice(2);
const groups = new Map();

function join(client, group) {
  const members = groups.get(group) ?? new Set();
  groups.set(group, members.add(client));
  client.on("close", () => members.delete(client));
}

function publish({ group, dataType, data }) {
  const message = JSON.stringify({ type: "message", from: "group", group, dataType, data });
  for (const client of groups.get(group) ?? []) client.send(message);
}

const actions = {
  joinGroup: (client, request) => join(client, request.group),
  sendToGroup: (client, request) => publish(request),
  event: (client, { dataType, data }) =>
    client.send(JSON.stringify({ type: "message", from: "server", dataType, data })),
};

const server = http.createServer();
const sockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  handleProtocols: (offered) => [...offered][0],
});

server.on("upgrade", (request, socket, head) => {
  const token = tokens && new URL(request.url, "http://localhost").searchParams.get("access_token");
  if (tokens && !isAllowed(token ?? "")) return socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
  sockets.handleUpgrade(request, socket, head, (client) => sockets.emit("connection", client));
});

sockets.on("connection", (client) => {
  client.send(JSON.stringify({ type: "system", event: "connected", userId: null, connectionId: randomUUID() }));
  client.on("message", (text) => {
    const request = JSON.parse(text);
    actions[request.type](client, request);
    if (request.ackId) client.send(JSON.stringify({ type: "ack", ackId: request.ackId, success: true }));
  });
  client.on("error", () => client.terminate());
});

server.listen(+port, "127.0.0.1", 4096);
