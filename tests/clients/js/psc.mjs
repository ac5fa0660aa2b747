// A local Pro Santé Connect: its addresses, claims, levels, login page and questions on a phone (CIBA, poll mode).
// Settings come as JSON on the first line of stdin; "up" is printed once it listens; it ends when stdin does.
//
// What tests may change while it runs, by POST /control with some of:
//   {"auto": "8…"|null}       who is logged in without a page; null: the page asks
//   {"ciba": {"8…": "approve"|"deny"}}   how questions on that phone are answered from now on; unnamed: nobody answers
//   {"slow_down": n}, {"fail": n, "status": 503}, {"delay_ms": n}    trouble for what we call
// GET /control/ciba lists the questions that nobody answered yet; POST /control/ciba {"id", "answer"} answers one, with
// "as": "8…" as another person would. POST /control/end {"national"} ends that person's sessions.
// Access tokens live for `access_s`, refresh tokens (each good for one use) for `refresh_s`; none where that is 0.
import http from 'node:http';
import { createInterface } from 'node:readline';
import { Provider, errors } from 'oidc-provider';

const REALM = '/auth/realms/esante-wallet';
const OPENID = `${REALM}/protocol/openid-connect`;
const POLLED_S = 1;

const lines = createInterface({ input: process.stdin });
const settings = JSON.parse((await lines[Symbol.asyncIterator]().next()).value);
process.stdin.on('close', () => process.exit(0));

const origin = `http://127.0.0.1:${settings.port}`;
const people = new Map(settings.people.map((person) => [person.userinfo.SubjectNameID, person]));
const bySub = new Map(settings.people.map((person) => [person.userinfo.sub, person]));
const state = { auto: null, ciba: {}, slow_down: 0, fail: 0, status: 503, delay_ms: 0 };
const questions = new Map();
const calls = [];

const grants = [];
const issued = [];

async function answer(id, how, as) {
  const { request, person: asked } = questions.get(id);
  const person = people.get(as) ?? asked;
  request.accountId = person.userinfo.sub;
  questions.delete(id);
  if (how === 'deny') {
    await provider.backchannelResult(request, new errors.AccessDenied());
    return;
  }
  const grant = new provider.Grant({ accountId: person.userinfo.sub, clientId: request.clientId });
  grant.addOIDCScope('openid scope_all');
  grants.push([person.userinfo.SubjectNameID, await grant.save()]);
  await provider.backchannelResult(request, grant, { acr: person.acr });
}

async function end(national) {
  for (const [, id] of grants.filter(([whose]) => whose === national)) {
    await provider.AccessToken.revokeByGrantId(id);
    await provider.RefreshToken.revokeByGrantId(id);
  }
}

const claimNames = [...new Set(settings.people.flatMap((person) => Object.keys(person.userinfo)))];
const provider = new Provider(`${origin}${REALM}`, {
  clients: settings.clients.map((client) => ({
    ...client,
    response_types: client.redirect_uris.length ? ['code'] : [],
    grant_types: ['authorization_code', 'refresh_token', 'urn:openid:params:grant-type:ciba'],
    token_endpoint_auth_method: 'client_secret_basic',
    backchannel_token_delivery_mode: 'poll',
  })),
  scopes: ['openid', 'scope_all'],
  claims: { openid: ['sub'], scope_all: claimNames.filter((name) => name !== 'sub'), acr: null },
  acrValues: ['eidas1', 'eidas2', 'eidas3'],
  issueRefreshToken: async () => settings.refresh_s > 0,
  rotateRefreshToken: true,
  pkce: { required: () => true },
  cookies: { keys: [settings.cookie_key] },
  jwks: { keys: settings.keys },
  ttl: {
    AccessToken: settings.access_s, RefreshToken: settings.refresh_s || 1, AuthorizationCode: 60, BackchannelAuthenticationRequest: settings.ciba_s, Grant: 600, IdToken: 300,
    Interaction: 600, Session: 600,
  },
  routes: {
    authorization: '/auth',
    token: `${OPENID}/token`,
    userinfo: `${OPENID}/userinfo`,
    jwks: `${OPENID}/certs`,
    backchannel_authentication: `${OPENID}/ext/ciba/auth`,
  },
  interactions: { url: (_ctx, interaction) => `/login/${interaction.uid}` },
  async findAccount(_ctx, sub) {
    const person = bySub.get(sub);
    return person && { accountId: sub, claims: async () => person.userinfo };
  },
  features: {
    devInteractions: { enabled: false },
    ciba: {
      enabled: true,
      deliveryModes: ['poll'],
      processLoginHint: async (_ctx, hint) => people.get(hint)?.userinfo.sub,
      processLoginHintToken: async () => undefined,
      verifyUserCode: async () => undefined,
      validateRequestContext: async () => undefined,
      async validateBindingMessage(_ctx, message) {
        if (!/^\d{2}$/.test(message ?? '')) throw new errors.InvalidBindingMessage('two digits');
      },
      async triggerAuthenticationDevice(_ctx, request, account) {
        const person = bySub.get(account.accountId);
        const national = person.userinfo.SubjectNameID;
        questions.set(request.jti, { request, person, national, binding: request.params.binding_message });
        if (state.ciba[national]) await answer(request.jti, state.ciba[national]);
      },
    },
  },
});

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith(OPENID)) return next();
  calls.push(ctx.path.slice(OPENID.length));
  if (state.delay_ms) await new Promise((done) => { setTimeout(done, state.delay_ms); });
  if (state.fail > 0) {
    state.fail -= 1;
    ctx.status = state.status;
    ctx.body = 'unavailable';
    return undefined;
  }
  if (ctx.path.endsWith('/token') && state.slow_down > 0) {
    state.slow_down -= 1;
    ctx.status = 400;
    ctx.body = { error: 'slow_down' };
    return undefined;
  }
  await next();
  if (ctx.body?.auth_req_id) ctx.body.interval = POLLED_S;
  issued.push(...[ctx.body?.access_token, ctx.body?.refresh_token].filter(Boolean));
  if (ctx.body?.refresh_token) ctx.body.refresh_expires_in = settings.refresh_s;
  return undefined;
});

const escaped = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const page = () => `<!doctype html><html lang="fr"><head><meta charset="utf-8"><title>Pro Santé Connect (simulateur)</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>body{font:18px sans-serif;max-width:26rem;
margin:2rem auto;padding:0 1rem}button{display:block;width:100%;min-height:3rem;margin:.6rem 0;font:inherit}</style></head>
<body><h1>Pro Santé Connect</h1><p>Simulateur : choisissez qui se connecte avec sa carte ou son e-CPS.</p><form method="post">
${[...people].map(([national, { userinfo }]) => `<button name="person" value="${escaped(national)}">${
  escaped(`${userinfo.given_name} ${userinfo.family_name}`)}</button>`).join('\n')}
<button name="person" value="">Annuler</button></form></body></html>`;

async function body(req) {
  let text = '';
  for await (const chunk of req) text += chunk;
  return text;
}

async function login(req, res) {
  const { prompt, params } = await provider.interactionDetails(req, res);
  if (prompt.name === 'consent') {
    const details = await provider.interactionDetails(req, res);
    const grant = new provider.Grant({ accountId: details.session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    return provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } });
  }
  const chosen = req.method === 'POST' ? new URLSearchParams(await body(req)).get('person') : state.auto;
  if (chosen === null) {
    res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
    return res.end(page());
  }
  const person = people.get(chosen);
  if (!person) return provider.interactionFinished(req, res, { error: 'access_denied' });
  const result = { login: { accountId: person.userinfo.sub, acr: person.acr, remember: false } };
  return provider.interactionFinished(req, res, result);
}

async function control(req, res) {
  const asked = req.method === 'POST' ? JSON.parse(await body(req)) : {};
  if (req.url === '/control/ciba' && req.method === 'POST') await answer(asked.id, asked.answer, asked.as);
  else if (req.url === '/control/end') await end(asked.national);
  else if (req.method === 'POST') Object.assign(state, asked);
  const open = [...questions].map(([id, { national, binding }]) => ({ id, national, binding }));
  res.writeHead(200, { 'Content-Type': 'application/json' });
  res.end(JSON.stringify({ questions: open, calls, issued }));
}

const serve = provider.callback();
http.createServer((req, res) => {
  const work = req.url.startsWith('/control') ? control : req.url.startsWith('/login/') ? login : serve;
  Promise.resolve(work(req, res)).catch((error) => {
    console.error(error);
    res.writeHead(500);
    res.end();
  });
}).listen(settings.port, '127.0.0.1', () => console.log('up'));
