// What an app has without a service: `ws` for its clients, and an event handler in express for their events.
//
//     node ws_webhook.mjs PORT
//
// Events go to webhook_express.mjs, a process of its own, as Azure's service would send them: signed CloudEvents
// over connections that stay open. The handler's answer goes back to the client.
import { fork } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { WebSocketServer } from "ws";

const [port] = process.argv.slice(2);
const key = process.env.ACCESS_KEY;
const agent = new http.Agent({ keepAlive: true });
const handler = fork(new URL("webhook_express.mjs", import.meta.url).pathname, ["0", "echo"]);
process.on("exit", () => handler.kill());
const [webhookPort] = await once(handler, "message");

function post(context, data) {
  const headers = {
    "content-type": "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(data),
    "webhook-request-origin": "localhost",
    "ce-specversion": "1.0",
    "ce-awpsversion": "1.0",
    "ce-id": ++context.events,
    "ce-time": new Date().toISOString(),
    "ce-type": "azure.webpubsub.user.message",
    "ce-source": `/hubs/bench/client/${context.id}`,
    "ce-hub": "bench",
    "ce-eventName": "message",
    "ce-connectionId": context.id,
    "ce-signature": "sha256=" + createHmac("sha256", key).update(context.id).digest("hex"),
  };
  const request = { agent, host: "127.0.0.1", port: webhookPort, path: "/webhook", method: "POST", headers };
  return new Promise((resolve, reject) => {
    const sent = http.request(request, async (response) => {
      let body = "";
      response.setEncoding("utf8");
      for await (const part of response) body += part;
      response.statusCode === 200 ? resolve(body) : reject(new Error(`${response.statusCode} ${body}`));
    });
    sent.on("error", reject).end(data);
  });
}

async function take(client, context, text) {
  const { dataType, data } = JSON.parse(text);
  const answer = await post(context, data);
  client.send(JSON.stringify({ type: "message", from: "server", dataType, data: answer }));
}

const server = http.createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false, handleProtocols: (offered) => [...offered][0] });

sockets.on("connection", (client) => {
  const context = { id: randomUUID(), events: 0 };
  client.send(JSON.stringify({ type: "system", event: "connected", userId: null, connectionId: context.id }));
  client.on("message", (text) => take(client, context, text).catch((error) => client.close(1011, error.message)));
  client.on("error", () => client.terminate());
});

server.listen(+port, "127.0.0.1", 4096);
