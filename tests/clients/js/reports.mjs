// What the session sees, told as plain objects. Nothing is interpreted here.
import * as sdk from "matrix-js-sdk";
import { EventShieldColour, EventShieldReason } from "matrix-js-sdk/lib/crypto-api/index.js";

const PAGES = 50;

const nameIn = (names, value) => Object.keys(names).find((key) => names[key] === value) ?? value ?? null;

/** One decrypted (or plain) event. `shield` is NONE, GREY or RED; null when it came unencrypted. */
export async function describe(client, event) {
  const content = event.getContent();
  const info = event.isEncrypted() ? await client.getCrypto().getEncryptionInfoForEvent(event) : null;
  return {
    room: event.getRoomId(),
    id: event.getId(),
    from: event.getSender(),
    at: event.getTs(),
    type: event.getType(),
    msgtype: content.msgtype ?? null,
    body: content.body ?? null,
    relates: event.getWireContent()["m.relates_to"] ?? content["m.relates_to"] ?? null,
    encrypted: event.isEncrypted(),
    shield: info && nameIn(EventShieldColour, info.shieldColour),
    reason: info && nameIn(EventShieldReason, info.shieldReason),
    content,
  };
}

/** One event that can't be read. */
export function unreadable(event) {
  const reason = event.decryptionFailureReason;
  return { room: event.getRoomId(), id: event.getId(), from: event.getSender(), reason };
}

/** Report every event once through `tell`; one that could not be read at first is told again when it can.
 *
 * A server may leave a gap before what it sends (after an outage, say): it is filled, as people do by scrolling up. */
export function watch(client, tell) {
  const told = new Set();
  const once = (key) => !told.has(key) && told.add(key);
  const faulty = (error) => tell({ event: "fault", error: String(error) });

  async function report(event) {
    const id = event.getId();
    if (event.status !== null || !id?.startsWith("$")) return; // our own local echo
    if (event.isRedacted()) return;
    if (event.isDecryptionFailure()) {
      if (once(`${id} ${event.decryptionFailureReason}`)) tell({ event: "utd", ...unreadable(event) });
    } else if (event.isState()) {
      if (!once(id)) return;
      const common = { room: event.getRoomId(), id, from: event.getSender(), content: event.getContent() };
      if (event.getType() === "m.room.member")
        tell({ event: "member", user: event.getStateKey(), membership: event.getContent().membership, ...common });
      else tell({ event: "state", type: event.getType(), key: event.getStateKey(), ...common });
    } else if (event.getType() === "m.room.redaction") {
      const redacts = event.event.redacts ?? event.getContent().redacts;
      if (once(id)) tell({ event: "redaction", room: event.getRoomId(), id, redacts });
    } else if (event.getType() !== "m.room.encrypted" && once(id)) {
      tell({ event: "message", ...(await describe(client, event)) });
    }
  }
  const guarded = (event) => report(event).catch(faulty);

  async function fill(room, known) {
    for (let page = 0; page < PAGES; page++) {
      const timeline = room.getLiveTimeline();
      const more = await client.paginateEventTimeline(timeline, { backwards: true, limit: 100 });
      if (!more || timeline.getEvents().some((event) => known.has(event.getId()))) return;
    }
  }
  /** The gap belongs to a sync that is still being processed; a server that is away is asked again. */
  async function fillPatiently(room, known) {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      if (!client.clientRunning) return;
      try {
        return await fill(room, known);
      } catch (error) {
        if (error?.httpStatus && error.httpStatus < 500) throw error;
      }
    }
  }

  client.on(sdk.RoomEvent.TimelineReset, (room, timelineSet) => {
    if (room && timelineSet === room.getUnfilteredTimelineSet()) fillPatiently(room, new Set(told)).catch(faulty);
  });
  client.on(sdk.MatrixEventEvent.Decrypted, guarded);
  client.on(sdk.RoomEvent.Timeline, (event) => void (event.isBeingDecrypted() || guarded(event)));
  client.on(sdk.RoomEvent.MyMembership, (room, membership) =>
    tell({ event: "membership", room: room.roomId, name: room.name, membership }),
  );
  client.on(sdk.ClientEvent.Sync, (state, previous) => {
    if (state !== previous) tell({ event: "sync", state });
  });
}
