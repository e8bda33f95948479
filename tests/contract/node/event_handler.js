// An event handler as Microsoft's middleware makes one: express and @azure/web-pubsub-express.
// Usage: node event_handler.js [ALLOWED_ENDPOINT...]
const express = require("express");
const { WebPubSubEventHandler } = require("@azure/web-pubsub-express");

const told = [];
const allowedEndpoints = process.argv.slice(2);
const handler = new WebPubSubEventHandler("chat", {
  path: "/api/chat",
  ...(allowedEndpoints.length ? { allowedEndpoints } : {}),
  handleConnect(request, response) {
    told.push({ event: "connect", user: request.context.userId, query: request.queries.q });
    if (request.context.userId === "attacker") {
      response.fail(401, "no attackers here");
      return;
    }
    response.setState("count", 0);
    response.success({ groups: ["all"], roles: ["webpubsub.sendToGroup"] });
  },
  handleUserEvent(request, response) {
    const count = request.context.states.count + 1;
    response.setState("count", count);
    if (request.context.eventName === "fails") {
      response.fail(400, "this one fails");
    } else if (request.dataType === "json") {
      response.success(JSON.stringify({ count, data: request.data }), "json");
    } else {
      response.success(`${count}: ${request.data}`, "text");
    }
  },
  onConnected(request) {
    told.push({ event: "connected", user: request.context.userId });
  },
  onDisconnected(request) {
    told.push({ event: "disconnected", user: request.context.userId, reason: request.reason });
  },
});

const app = express();
app.get("/told", (_request, response) => response.json(told));
app.use(handler.getMiddleware());
const server = app.listen(0, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
