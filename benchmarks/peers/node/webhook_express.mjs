// Azure's own event handler for express. It hands the signature on and does not check it: that is for the user,
// and is done here as Azure's documentation of the CloudEvents extension says.
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { WebPubSubEventHandler } from "@azure/web-pubsub-express";
import express from "express";

// With `echo` as the second argument it answers what the client said, else "ack"; with a file more, a
// certificate with its key, it speaks https. Forked, it tells its port.
const [port, mode, certificate] = process.argv.slice(2);
const key = process.env.ACCESS_KEY;

function isSigned({ connectionId, signature }) {
  const expected = Buffer.from("sha256=" + createHmac("sha256", key).update(connectionId).digest("hex"));
  return (signature ?? "").split(",").some((given) => {
    const bytes = Buffer.from(given);
    return bytes.length === expected.length && timingSafeEqual(bytes, expected);
  });
}

const handler = new WebPubSubEventHandler("bench", {
  path: "/webhook",
  handleUserEvent: (request, response) =>
    isSigned(request.context)
      ? response.success(mode === "echo" ? request.data : "ack", "text")
      : response.fail(401, "not signed"),
});

const app = express();
app.use(handler.getMiddleware());
const server = certificate
  ? https.createServer({ cert: readFileSync(certificate), key: readFileSync(certificate) }, app)
  : http.createServer(app);
server.listen(+port, "127.0.0.1", () => process.send?.(server.address().port));
