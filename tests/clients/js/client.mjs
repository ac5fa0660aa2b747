// JSON lines in: {"id", "cmd", "args"}. Out: {"reply": id, "ok", "result" | "error"} and reports {"event": …}.
// The first command is `login`; nothing secret comes by the command line. End of input ends the program.
import readline from "node:readline";
import { open } from "./session.mjs";

const write = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const warn = (...words) => process.stderr.write(words.join(" ") + "\n");
for (const level of ["log", "info", "debug", "warn", "error", "trace"]) console[level] = warn;
const fault = (error) => ({
  message: String(error?.message ?? error),
  status: error?.httpStatus ?? null,
  errcode: error?.errcode ?? null,
});
process.on("unhandledRejection", (error) => write({ event: "fault", error: fault(error).message }));

let session = null;
const login = async (args) => {
  session = await open(args, write);
  return { user: session.user, device: session.device };
};

async function answer({ id, cmd, args = {} }) {
  try {
    const run = cmd === "login" ? login : session?.commands[cmd];
    if (!run) throw new Error(session ? `unknown command ${cmd}` : "log in first");
    write({ reply: id, ok: true, result: (await run(args)) ?? null });
  } catch (error) {
    write({ reply: id, ok: false, error: fault(error) });
  }
}

const input = readline.createInterface({ input: process.stdin });
input.on("line", (line) => void answer(JSON.parse(line)));
input.on("close", () => {
  session?.stop();
  process.exit(0);
});
