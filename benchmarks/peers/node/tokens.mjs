// Tokens of clients, as Azure Web PubSub and others sign them: HS256, with $ACCESS_KEY.
import { createHmac, timingSafeEqual } from "node:crypto";

const key = process.env.ACCESS_KEY;

export function isAllowed(token) {
  const [header, claims, signature] = token.split(".");
  const expected = createHmac("sha256", key).update(`${header}.${claims}`).digest();
  const found = Buffer.from(signature ?? "", "base64url");
  if (found.length !== expected.length || !timingSafeEqual(found, expected)) return false;
  return JSON.parse(Buffer.from(claims, "base64url")).exp > Date.now() / 1000;
}
