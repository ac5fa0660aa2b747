// Encrypted attachments ("Sending encrypted attachments", v2, in the Matrix specification): AES-256-CTR, SHA-256.
const { subtle } = globalThis.crypto;
const unpadded = (bytes) => Buffer.from(bytes).toString("base64").replace(/=+$/, "");

/** Bytes in; ciphertext and the `file` object (without `url`) out. */
export async function encrypt(plain) {
  const key = await subtle.generateKey({ name: "AES-CTR", length: 256 }, true, ["encrypt", "decrypt"]);
  const iv = new Uint8Array(16);
  globalThis.crypto.getRandomValues(iv.subarray(0, 8)); // the lower half counts blocks
  const data = await subtle.encrypt({ name: "AES-CTR", counter: iv, length: 64 }, key, plain);
  const jwk = await subtle.exportKey("jwk", key);
  const sha256 = unpadded(await subtle.digest("SHA-256", data));
  return { data: new Uint8Array(data), file: { v: "v2", key: jwk, iv: unpadded(iv), hashes: { sha256 } } };
}

/** The reverse. Throws when the digest does not hold: nothing is decrypted then. */
export async function decrypt(data, file) {
  const digest = unpadded(await subtle.digest("SHA-256", data));
  if (digest !== file.hashes.sha256.replace(/=+$/, "")) throw new Error("the attachment's digest does not hold");
  const key = await subtle.importKey("jwk", file.key, { name: "AES-CTR" }, false, ["decrypt"]);
  const counter = Buffer.from(file.iv, "base64");
  return new Uint8Array(await subtle.decrypt({ name: "AES-CTR", counter, length: 64 }, key, data));
}
