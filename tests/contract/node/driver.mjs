// Microsoft's JavaScript SDKs as the driver of tests/sdk_steps.py: one step a line in, one answer a line out.
import { createInterface } from "node:readline";
import { WebPubSubServiceClient } from "@azure/web-pubsub";
import {
  SendMessageError,
  WebPubSubClient,
  WebPubSubJsonProtocol,
  WebPubSubJsonReliableProtocol,
} from "@azure/web-pubsub-client";

const MILLISECONDS = 10_000;
const PROTOCOLS = { json: WebPubSubJsonProtocol, "json-reliable": WebPubSubJsonReliableProtocol };
const TOLD = {
  connected: (told) => ({ connection_id: told.connectionId, user_id: told.userId ?? null }),
  disconnected: (told) => ({ connection_id: told.connectionId, message: told.message?.message ?? null }),
  stopped: () => ({}),
  "group-message": ({ message }) => ({
    group: message.group,
    from: message.fromUserId ?? null,
    ...payloadOf(message),
  }),
  "server-message": ({ message }) => payloadOf(message),
  "rejoin-group-failed": (told) => ({ group: told.group, error: told.error.errorDetail?.name }),
};

// An option that the SDK does not have: it would be dropped without a word.
class Lacking extends Error {}

function payloadOf({ dataType, data }) {
  return { [dataType]: dataType === "binary" ? Buffer.from(data).toString("base64") : data };
}

function contentOf(payload) {
  const [[kind, data]] = Object.entries(payload);
  return [kind === "binary" ? new Uint8Array(Buffer.from(data, "base64")).buffer : data, kind];
}

function messageOf(payload, options) {
  const [data, kind] = contentOf(payload);
  return [data, kind === "text" ? { ...options, contentType: "text/plain" } : options];
}

// Options as the SDK calls them; `names` gives its name for each that it has.
function options(given, names) {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      if (!(name in names)) throw new Lacking(`the option ${name}`);
      return [names[name], value];
    }),
  );
}

class Client {
  told = [];
  waiting = null;

  constructor({ url, protocol, reconnects }) {
    this.sdk = new WebPubSubClient(url, {
      protocol: PROTOCOLS[protocol](),
      autoReconnect: reconnects,
      messageRetryOptions: { maxRetries: 1, retryDelayInMs: 1 },
      reconnectRetryOptions: { maxRetries: 20, retryDelayInMs: 200, mode: "Fixed" },
    });
    for (const [kind, tell] of Object.entries(TOLD)) {
      this.sdk.on(kind, (told) => {
        this.told.push({ told: kind, ...tell(told) });
        this.waiting?.();
      });
    }
  }

  async next() {
    if (this.told.length === 0) await new Promise((resolve) => (this.waiting = resolve));
    this.waiting = null;
    return this.told.shift();
  }
}

const ACK = { ack_id: "ackId" };
const CLIENT_STEPS = {
  next: (client) => client.next(),
  join_group: ({ sdk }, { group, ...given }) => sdk.joinGroup(group, options(given, ACK)),
  leave_group: ({ sdk }, { group, ...given }) => sdk.leaveGroup(group, options(given, ACK)),
  send_to_group: ({ sdk }, { group, payload, ack = true, ...given }) =>
    sdk.sendToGroup(group, ...contentOf(payload), {
      fireAndForget: !ack,
      ...options(given, { ...ACK, no_echo: "noEcho" }),
    }),
  send_event: ({ sdk }, { event, payload, ack = true, ...given }) =>
    sdk.sendEvent(event, ...contentOf(payload), { fireAndForget: !ack, ...options(given, ACK) }),
  invoke_event: async ({ sdk }, { event, payload }) =>
    payloadOf(await sdk.invokeEvent(event, ...contentOf(payload))),
  stream_to_group: async ({ sdk }, { group, payload }) => {
    const writer = await sdk.openGroupStream(group);
    await writer.write(...contentOf(payload));
    await writer.end();
  },
  close: async ({ sdk }) => sdk.stop(),
};

const SEND = { filter: "filter", message_ttl_seconds: "messageTtlSeconds" };
const EXCLUDED = { ...SEND, excluded: "excludedConnections" };
const REASON = { reason: "reason" };
const TARGET = { target_name: "targetName" };
const SERVICE_STEPS = {
  send_to_all: (hub, { payload, ...given }) => hub.sendToAll(...messageOf(payload, options(given, EXCLUDED))),
  send_to_group: (hub, { group, payload, ...given }) =>
    hub.group(group).sendToAll(...messageOf(payload, options(given, EXCLUDED))),
  send_to_user: (hub, { user_id, payload, ...given }) =>
    hub.sendToUser(user_id, ...messageOf(payload, options(given, SEND))),
  send_to_connection: (hub, { connection_id, payload, ...given }) =>
    hub.sendToConnection(connection_id, ...messageOf(payload, options(given, SEND))),
  connection_exists: (hub, { connection_id }) => hub.connectionExists(connection_id),
  group_exists: (hub, { group }) => hub.groupExists(group),
  user_exists: (hub, { user_id }) => hub.userExists(user_id),
  add_connection_to_group: (hub, { group, connection_id }) => hub.group(group).addConnection(connection_id),
  remove_connection_from_group: (hub, { group, connection_id }) =>
    hub.group(group).removeConnection(connection_id),
  remove_connection_from_all_groups: (hub, { connection_id }) =>
    hub.removeConnectionFromAllGroups(connection_id),
  add_user_to_group: (hub, { group, user_id }) => hub.group(group).addUser(user_id),
  remove_user_from_group: (hub, { group, user_id }) => hub.group(group).removeUser(user_id),
  remove_user_from_all_groups: (hub, { user_id }) => hub.removeUserFromAllGroups(user_id),
  add_connections_to_groups: (hub, { groups, filter }) => hub.addConnectionsToGroups(groups, filter),
  remove_connections_from_groups: (hub, { groups, filter }) =>
    hub.removeConnectionsFromGroups(groups, filter),
  grant_permission: (hub, { permission, connection_id, ...given }) =>
    hub.grantPermission(connection_id, permission, options(given, TARGET)),
  revoke_permission: (hub, { permission, connection_id, ...given }) =>
    hub.revokePermission(connection_id, permission, options(given, TARGET)),
  has_permission: (hub, { permission, connection_id, ...given }) =>
    hub.hasPermission(connection_id, permission, options(given, TARGET)),
  close_connection: (hub, { connection_id, ...given }) =>
    hub.closeConnection(connection_id, options(given, REASON)),
  close_user_connections: (hub, { user_id, ...given }) =>
    hub.closeUserConnections(user_id, options(given, REASON)),
  close_group_connections: (hub, { group, ...given }) =>
    hub.group(group).closeAllConnections(options(given, REASON)),
  close_all_connections: (hub, given) => hub.closeAllConnections(options(given, REASON)),
  get_client_access_token: (hub, given) =>
    hub.getClientAccessToken(
      options(given, {
        user_id: "userId",
        roles: "roles",
        groups: "groups",
        minutes_to_expire: "expirationTimeInMinutes",
      }),
    ),
  list_connections: async (hub, { group, ...given }) => {
    const names = { max_page_size: "maxPageSize", top: "top" };
    const found = [];
    for await (const member of await hub.group(group).listConnections(options(given, names))) {
      found.push({ connection_id: member.connectionId, user_id: member.userId ?? null });
    }
    return found;
  },
};

const clients = new Map();
let hub = null;

const STEPS = {
  open: async ({ client, ...given }) => {
    const opened = new Client(given);
    clients.set(client, opened);
    await opened.sdk.start();
  },
  serve: async ({ connection_string, hub: name }) => {
    hub = new WebPubSubServiceClient(connection_string, name, {
      allowInsecureConnection: true,
      retryOptions: { maxRetries: 0 },
    });
  },
  reset: async () => {
    for (const { sdk } of clients.values()) sdk.stop();
    clients.clear();
    hub = null;
  },
};

async function perform({ step, ...given }) {
  if (step in STEPS) return STEPS[step](given);
  if ("client" in given) {
    const { client, ...rest } = given;
    return CLIENT_STEPS[step](clients.get(client), rest);
  }
  return SERVICE_STEPS[step](hub, given);
}

function inTime(work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took more than ${MILLISECONDS} ms`)), MILLISECONDS);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

// What the SDK has no error class for: a connection that is refused, and one that ends meanwhile.
const REFUSALS = /^(Unexpected server response: |Stream session aborted )/;

function failure(error) {
  if (error instanceof Lacking) return { lacking: error.message };
  if (error instanceof SendMessageError || error.name === "InvocationError") {
    return { refused: [error.errorDetail?.name ?? null, null, error.message] };
  }
  if (error.name === "RestError" && error.statusCode) {
    const code = error.response?.headers.get("x-ms-error-code") ?? null;
    return { refused: [code, error.statusCode, error.message] };
  }
  if (REFUSALS.test(error.message)) return { refused: [null, null, error.message] };
  return { failed: error.stack ?? String(error) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await inTime(perform(JSON.parse(line))).then(
    (result) => ({ result: result ?? null }),
    failure,
  );
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
