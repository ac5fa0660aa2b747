// One Matrix session (matrix-js-sdk, Rust crypto, crypto store in memory) and the commands that drive it.
import * as sdk from "matrix-js-sdk";
import { logger } from "matrix-js-sdk/lib/logger.js";
import {
  AllDevicesIsolationMode,
  decodeRecoveryKey,
  OnlySignedDevicesIsolationMode,
} from "matrix-js-sdk/lib/crypto-api/index.js";
import { decrypt, encrypt } from "./attachments.mjs";
import { describe, unreadable, watch } from "./reports.mjs";

logger.setLevel?.("silent");
const ENCRYPTION = { type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } };
const inReplyTo = (event) => ({ "m.relates_to": { "m.in_reply_to": { event_id: event } } });

/** Log in, start syncing, and return the table of commands. `tell` gets every report. */
export async function open({ homeserver, user, password, history = 50 }, tell) {
  const identifier = { type: "m.id.user", user };
  const credentials = { type: "m.login.password", identifier, password };
  const login = await sdk.createClient({ baseUrl: homeserver }).loginRequest(credentials);
  const secrets = new Map(); // secret storage key id -> private key, as the person's memory
  let typedKey = null; // a recovery key the person typed: good for whatever key id is asked
  const client = sdk.createClient({
    baseUrl: homeserver,
    userId: login.user_id,
    deviceId: login.device_id,
    accessToken: login.access_token,
    logger,
    cryptoCallbacks: {
      getSecretStorageKey: async ({ keys }) => {
        const id = Object.keys(keys).find((key) => secrets.has(key));
        if (id) return [id, secrets.get(id)];
        return typedKey ? [Object.keys(keys)[0], typedKey] : null;
      },
      cacheSecretStorageKey: (id, _info, key) => secrets.set(id, key),
    },
  });
  await client.initRustCrypto({ useIndexedDB: false });
  const crypto = client.getCrypto();
  watch(client, tell);
  const prepared = new Promise((resolve) => {
    const seen = (state) => state === "PREPARED" && (client.off(sdk.ClientEvent.Sync, seen), resolve());
    client.on(sdk.ClientEvent.Sync, seen);
  });
  await client.startClient({ initialSyncLimit: history, pendingEventOrdering: sdk.PendingEventOrdering.Detached });
  await prepared;
  const auth = (make) => make(credentials);

  /** Send; called again with the `txn` of a message that could not be sent, it tries that very message again. */
  async function sendContent(room, type, content, txn) {
    const isWaiting = (event) => txn && event.getTxnId() === txn && event.status === sdk.EventStatus.NOT_SENT;
    const waiting = client.getRoom(room)?.getPendingEvents().find(isWaiting);
    const sending = waiting
      ? client.resendEvent(waiting, client.getRoom(room))
      : client.sendEvent(room, null, type, content, txn);
    return { id: (await sending).event_id };
  }

  async function download({ file, url }) {
    const address = client.mxcUrlToHttp(file?.url ?? url, undefined, undefined, undefined, undefined, true, true);
    const answer = await fetch(address, { headers: { Authorization: `Bearer ${client.getAccessToken()}` } });
    if (!answer.ok) throw Object.assign(new Error(`download: ${answer.status}`), { httpStatus: answer.status });
    const data = new Uint8Array(await answer.arrayBuffer());
    return { data: Buffer.from(file ? await decrypt(data, file) : data).toString("base64") };
  }

  const seen = (room) => ({
    room: room.roomId,
    name: room.name,
    membership: room.getMyMembership(),
    encrypted: room.hasEncryptionStateEvent(),
    members: room.getMembers().map(({ userId: user, name, membership }) => ({ user, name, membership })),
    mark: room.currentState.getStateEvents("fr.colloque.room", "")?.getContent() ?? null,
  });

  const commands = {
    /** New cross-signing identity, secret storage; gives the recovery key back. */
    async bootstrap() {
      await crypto.bootstrapCrossSigning({ setupNewCrossSigning: true, authUploadDeviceSigningKeys: auth });
      let recoveryKey;
      const createSecretStorageKey = async () => {
        const key = await crypto.createRecoveryKeyFromPassphrase();
        recoveryKey = key.encodedPrivateKey;
        return key;
      };
      await crypto.bootstrapSecretStorage({ createSecretStorageKey, setupNewSecretStorage: true });
      return { recoveryKey, ready: await crypto.isCrossSigningReady() };
    },
    /** Verify this session with the account's recovery key, as a person with a new phone does. */
    async restore({ recoveryKey }) {
      typedKey = decodeRecoveryKey(recoveryKey);
      await crypto.userHasCrossSigningKeys(); // asks the server: without the public keys the private ones are not taken
      await crypto.bootstrapCrossSigning({});
      for (const end = Date.now() + 20_000; Date.now() < end; ) {
        // Our own signature counts once the server has given it back.
        await crypto.getUserDeviceInfo([login.user_id], true);
        const own = await crypto.getDeviceVerificationStatus(login.user_id, login.device_id);
        if (own?.crossSigningVerified) return { ready: await crypto.isCrossSigningReady() };
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      throw new Error("this session's signature did not come back from the server");
    },
    /** Talk to and read from devices signed by their owner only. */
    isolate: () => crypto.setDeviceIsolationMode(new OnlySignedDevicesIsolationMode()),
    mingle: () => crypto.setDeviceIsolationMode(new AllDevicesIsolationMode(false)),
    join: async ({ room }) => ({ room: (await client.joinRoom(room)).roomId }),
    leave: ({ room }) => client.leave(room),
    invite: ({ room, user: other }) => client.invite(room, other),
    async createRoom({ invite = [], name, options = {} }) {
      const asked = { preset: "private_chat", name, invite, initial_state: [ENCRYPTION], ...options };
      return { room: (await client.createRoom(asked)).room_id };
    },
    send: ({ room, text, txn }) => sendContent(room, "m.room.message", { msgtype: "m.text", body: text }, txn),
    reply: ({ room, event, text, txn }) =>
      sendContent(room, "m.room.message", { msgtype: "m.text", body: text, ...inReplyTo(event) }, txn),
    react: ({ room, event, key, txn }) =>
      sendContent(room, "m.reaction", { "m.relates_to": { rel_type: "m.annotation", event_id: event, key } }, txn),
    sendContent: ({ room, type = "m.room.message", content, txn }) => sendContent(room, type, content, txn),
    redact: async ({ room, event }) => ({ id: (await client.redactEvent(room, event)).event_id }),
    /** `data` in base64; encrypted before it leaves. */
    async sendFile({ room, name, mime, data, event, txn }) {
      const plain = Buffer.from(data, "base64");
      const { data: sealed, file } = await encrypt(plain);
      const options = { type: "application/octet-stream", includeFilename: false };
      const { content_uri: url } = await client.uploadContent(new Blob([sealed]), options);
      const content = {
        msgtype: mime.startsWith("image/") ? "m.image" : "m.file",
        body: name,
        filename: name,
        info: { mimetype: mime, size: plain.length },
        file: { ...file, url },
        ...(event && inReplyTo(event)),
      };
      return { url, ...(await sendContent(room, "m.room.message", content, txn)) };
    },
    /** The file of a message's content, decrypted, in base64. */
    downloadFile: ({ content }) => download(content),
    rooms: () => client.getRooms().map(seen),
    /** One of them; null when this session knows it not. */
    room: ({ room }) => (client.getRoom(room) ? seen(client.getRoom(room)) : null),
    /** Everything readable of a room that this session holds. */
    async messages({ room }) {
      const isReadable = (event) => !event.isState() && !event.isDecryptionFailure() && event.status === null;
      const events = client.getRoom(room)?.getLiveTimeline().getEvents() ?? [];
      return Promise.all(events.filter(isReadable).map((event) => describe(client, event)));
    },
    /** Events that can't be read now, whatever happened before. */
    unreadable: ({ room }) =>
      (room ? [client.getRoom(room)] : client.getRooms())
        .flatMap((each) => each?.getLiveTimeline().getEvents() ?? [])
        .filter((event) => event.isDecryptionFailure())
        .map(unreadable),
    /** What a person does by opening the room again: the SDK itself tries once, maybe before it knew the sender's
     * identity, and drops what came in a sync that broke off. The server is asked for the last events. */
    async reopen({ room }) {
      const failed = client.getRoom(room).getLiveTimeline().getEvents().filter((event) => event.isDecryptionFailure());
      await crypto.getUserDeviceInfo([...new Set(failed.map((event) => event.getSender()))], true);
      for (const event of failed) await event.attemptDecryption(crypto, { isRetry: true });
      const { chunk } = await client.createMessagesRequest(room, null, 100, "b");
      const toEvent = client.getEventMapper();
      for (const raw of chunk) await client.decryptEventIfNeeded(toEvent(raw));
    },
    async status({ user: other }) {
      const devices = (await crypto.getUserDeviceInfo([other], true)).get(other) ?? new Map();
      const trust = await crypto.getUserVerificationStatus(other);
      const signed = {};
      for (const id of devices.keys()) {
        signed[id] = (await crypto.getDeviceVerificationStatus(other, id))?.signedByOwner ?? false;
      }
      return { devices: signed, verified: trust.isVerified(), identityChanged: trust.needsUserApproval };
    },
    profile: ({ user: other }) => client.getProfileInfo(other),
    /** Any call of the client API, with this session's token. */
    api: ({ method, path, body, query }) => client.http.authedRequest(method, path, query, body, { prefix: "" }),
    logout: () => client.logout(true),
  };
  return { commands, user: login.user_id, device: login.device_id, stop: () => client.stopClient() };
}
