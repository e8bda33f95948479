// URLs for clients, by Azure's own SDK on express.
import { WebPubSubServiceClient } from "@azure/web-pubsub";
import express from "express";

const [port] = process.argv.slice(2).map(Number);
const connection = `Endpoint=http://localhost:8080;AccessKey=${process.env.ACCESS_KEY};Version=1.0;`;
const service = new WebPubSubServiceClient(connection, "bench", { allowInsecureConnection: true });

const app = express();
app.disable("x-powered-by");
app.get("/negotiate", async (request, response) => {
  const { url } = await service.getClientAccessToken({ userId: request.query.userId });
  response.type("text/plain").send(url);
});
app.listen(port, "127.0.0.1");
