// What one writes without a service: an API on express that sends to WebSocket clients of the same process.
import { timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import express from "express";
import { WebSocketServer } from "ws";

const [port] = process.argv.slice(2).map(Number);
const authorization = Buffer.from(`Bearer ${process.env.ACCESS_KEY}`);
const everyone = new Set();
const users = new Map();
const groups = new Map();

function isAuthorized(request) {
  const given = Buffer.from(request.headers.authorization ?? "");
  return given.length === authorization.length && timingSafeEqual(given, authorization);
}

const app = express();
app.disable("x-powered-by");
app.use((request, response, next) => (isAuthorized(request) ? next() : response.sendStatus(401)));
app.use(express.text());

function send(clients, request, response) {
  for (const client of clients ?? []) client.send(request.body);
  response.status(202).end();
}

app.post("/send", (request, response) => send(everyone, request, response));
app.post("/users/:user/send", (request, response) => send(users.get(request.params.user), request, response));
app.post("/groups/:group/send", (request, response) => send(groups.get(request.params.group), request, response));

function join(places, name, client) {
  if (name === null) return;
  if (!places.has(name)) places.set(name, new Set());
  const members = places.get(name).add(client);
  client.on("close", () => members.delete(client));
}

const server = createServer(app);
new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (client, request) => {
  const { searchParams } = new URL(request.url, "http://localhost");
  everyone.add(client);
  client.on("close", () => everyone.delete(client));
  join(users, searchParams.get("user"), client);
  join(groups, searchParams.get("group"), client);
});
server.listen(port, "127.0.0.1");
