"""The pages and the mail of `/entrer`. Whatever comes from outside is escaped here, and nowhere else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from html import escape

from colloque.professional import Professional
from colloque.psc.claims import No as PscNo
from colloque_annuaire import texts, texts_psc
from colloque_annuaire.enrol import No

CODE_SUBJECT = "Votre code pour entrer sur Colloque"

STYLE = """
:root{color-scheme:light dark;--ink:#12232e;--soft:#51626d;--paper:#fff;--back:#eef3f5;--accent:#0b6e6e;--line:#d3dde2}
@media(prefers-color-scheme:dark){:root{--ink:#e8eff2;--soft:#a9bac3;--paper:#17252d;--back:#0e181e;--accent:#3fb6b0;--line:#2c3e48}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:17px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:30rem;margin:0 auto;padding:1.25rem 1rem 3rem}
header{font-weight:700;letter-spacing:.02em;color:var(--accent);padding:.25rem 0 1rem}
h1{font-size:1.45rem;line-height:1.25;margin:0 0 .75rem}
h2{font-size:1.05rem;margin:0 0 .5rem}
p{margin:.5rem 0}
section{background:var(--paper);border:1px solid var(--line);border-radius:14px;padding:1.1rem;margin:0 0 1rem}
label{display:block;font-weight:600;margin:.75rem 0 .3rem}
input{width:100%;font:inherit;padding:.8rem;border:1px solid var(--soft);border-radius:10px;background:var(--paper);color:var(--ink)}
button,.button{display:block;width:100%;margin:.9rem 0 0;padding:.9rem;border:0;border-radius:10px;background:var(--accent);color:#fff;
font:inherit;font-weight:700;text-align:center;text-decoration:none}
@media(prefers-color-scheme:dark){button,.button{color:#06211f}}
.second{background:transparent;color:var(--accent);border:2px solid var(--accent)}
.soft{color:var(--soft);font-size:.92rem}
.key{font:600 1.35rem/1.4 ui-monospace,Menlo,Consolas,monospace;background:var(--back);border-radius:10px;padding:.7rem;text-align:center;
overflow-wrap:anywhere;user-select:all}
.account{font-size:1.05rem}
ol{padding-left:1.3rem;margin:.5rem 0}
li{margin:.35rem 0}
""".strip()
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


def page(title: str, body: str) -> str:
    """A whole page. `body` is HTML, already escaped."""
    return (
        '<!doctype html><html lang="fr"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{escape(title)} – Colloque</title><style>{STYLE}</style></head>"
        f"<body><main><header>Colloque</header>{body}</main></body></html>"
    )


def start(token: str, *, by_psc: bool) -> str:
    """`/entrer`: the two ways in."""
    psc = (
        f'<section><h2>Avec Pro Santé Connect</h2><p class="soft">Votre carte CPS ou votre application e-CPS.</p>'
        f'<form method="post" action="/entrer/psc">{_hidden(token)}'
        "<button>Continuer avec Pro Santé Connect</button></form></section>"
        if by_psc
        else ""
    )
    second = ' class="second"' if by_psc else ""
    mail = (
        '<section><h2>Avec votre boîte MSSanté</h2><p class="soft">Un code part vers la boîte que l’Annuaire Santé '
        f'vous connaît.</p><form method="post" action="/entrer/code">{_hidden(token)}'
        '<label for="rpps">Votre numéro RPPS (11 chiffres)</label>'
        '<input id="rpps" name="rpps" inputmode="numeric" autocomplete="off" required maxlength="20">'
        f"<button{second}>Recevoir un code</button></form></section>"
    )
    lead = (
        "<h1>Entrer sur Colloque</h1><p>La messagerie des professionnels de santé, vérifiée par l’Annuaire Santé. "
        "Prouvez qui vous êtes : vous recevrez un mot de passe valable dix minutes, pour vous connecter dans "
        "l’application.</p>"
    )
    return page("Entrer", lead + psc + mail)


def ask_code(token: str, address: str, life: timedelta, problem: str = "") -> str:
    """The code was mailed. `problem`: what was wrong with the one typed before."""
    alert = f"<section role=alert><p>{escape(problem)}</p></section>" if problem else ""
    sent = f"<p>Il a été envoyé à <strong>{escape(address)}</strong>.</p>" if address else ""
    return page(
        "Code",
        f"<h1>Votre code</h1>{alert}<section>{sent}"
        f'<p class="soft">Il vaut {escape(texts.duration(life))}.</p>'
        f'<form method="post" action="/entrer/code/verifier">{_hidden(token)}'
        '<label for="code">Code à 6 chiffres</label>'
        '<input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" required maxlength="20">'
        "<button>Entrer</button></form></section>",
    )


def choose_mailbox(token: str, rpps: str, addresses: Sequence[str]) -> str:
    """The directory knows several mailboxes."""
    rows = "".join(
        f'<form method="post" action="/entrer/code">{_hidden(token)}<input type="hidden" name="rpps" '
        f'value="{escape(rpps)}"><input type="hidden" name="choice" value="{n}">'
        f'<button class="second">{escape(address)}</button></form>'
        for n, address in enumerate(addresses, 1)
    )
    return page("Boîte", f"<h1>Quelle boîte relevez-vous ?</h1><section>{rows}</section>")


def entered(user: str, password: str, app_link: str, said: str) -> str:
    """The password, once."""
    asked = (
        f"<section><h2>Une fois connecté, répondez dans le salon « Colloque »</h2><p>{_lines(said)}</p></section>"
        if said and not said.startswith("✅")
        else ""
    )
    return page(
        "Bienvenue",
        "<h1>Vous pouvez entrer</h1>"
        f'<section><p>Votre compte</p><p class="key account">{escape(user)}</p>'
        f'<p>Votre mot de passe</p><p class="key">{escape(password)}</p>'
        '<p class="soft">Il vaut dix minutes et ne sert qu’une fois. Il n’est montré qu’ici : ne le donnez à personne.</p>'
        f'<a class="button" href="{escape(app_link)}" rel="noreferrer">Ouvrir l’application</a></section>'
        f"{asked}<section><h2>Ensuite</h2><ol><li>Dans l’application (Element X), connectez-vous avec ce compte et ce mot "
        "de passe.</li><li>Confirmez l’appareil quand elle le propose : sans cela, vos messages restent illisibles.</li>"
        "<li>Ouvrez le salon « Colloque » : l’automate vous y attend.</li></ol>"
        '<p class="soft">Le même mot de passe, tant qu’il n’a pas servi, permet aussi de réinitialiser votre identité de '
        "chiffrement. Pour un nouvel appareil, revenez sur cette page.</p></section>",
    )


def elsewhere(token: str, organisations: Sequence[str]) -> str:
    """An account on another server."""
    where = escape(", ".join(organisations))
    return page(
        "Votre compte",
        f"<h1>Vous avez déjà un compte</h1><section><p>Il est sur le serveur de : <strong>{where}</strong>. Un "
        "professionnel n’a qu’un compte.</p><p>Pour continuer avec lui, connectez-vous là-bas : il n’y a rien d’autre à "
        f'faire.</p><form method="post" action="/entrer/demenager">{_hidden(token)}'
        '<button class="second">Venir ici et fermer l’autre compte</button></form></section>',
    )


def link(token: str, secret: str) -> str:
    """A link that gives a password: one button, for chats look at links by themselves."""
    return page(
        "Votre accès",
        "<h1>Votre accès à Colloque</h1><section><p>Ce lien vous donne un mot de passe, une seule fois. Ayez "
        "l’application ouverte : il vaut dix minutes.</p>"
        f'<form method="post" action="/entrer/lien">{_hidden(token)}<input type="hidden" name="l" '
        f'value="{escape(secret)}"><button>Montrer mon mot de passe</button></form></section>',
    )


def refused(code: str, why: str) -> str:
    """Why nobody comes in, what to do, and a stable code to quote."""
    return page(
        "Impossible pour l'instant",
        f"<h1>Cela ne va pas plus loin</h1><section role=alert><p>{_lines(why)}</p>"
        f'<p class="soft">Code : {escape(code)}</p><a class="button second" href="/entrer">Recommencer</a></section>',
    )


_OWN = {
    "directory_stale": (
        "L'annuaire dont nous disposons est trop ancien pour vérifier une identité.\n"
        "Votre administrateur est prévenu : réessayez plus tard."
    ),
    "directory_empty": texts.DIRECTORY_EMPTY,
    "visit_ended": "Cette page a expiré, ou ce lien a déjà servi.\nRecommencez depuis le début, ou demandez un nouveau lien.",
    "too_fast": "Beaucoup d'essais depuis cet accès.\nPatientez dix minutes, puis recommencez.",
    "psc_unavailable": texts_psc.UNAVAILABLE,
    "psc_untrusted": texts_psc.OUT_OF_ORDER,
    "unavailable": "Un service ne répond pas pour l'instant.\nRéessayez dans une minute : rien n'est perdu.",
    "bad_rpps": texts.BAD_RPPS,
    "not_found": "Cette page n'existe pas.",
}


def why(code: str) -> str:
    """The French words of a refusal's code."""
    if code in _OWN:
        return _OWN[code]
    if code in frozenset(PscNo):
        return texts_psc.refused(code)
    return texts.refusal(No(code)) if code in frozenset(No) else _OWN["unavailable"]


def code_mail(digits: str, *, person: Professional | None, life: timedelta) -> str:
    """The mail that carries the code."""
    hello = f"Bonjour {person.full_name}," if person else "Bonjour,"
    return (
        f"{hello}\n\n"
        "Quelqu'un demande à entrer sur Colloque en votre nom.\n\n"
        f"Votre code : {digits}\n\n"
        f"Tapez-le sur la page où vous l'avez demandé. Il vaut {texts.duration(life)} et ne sert qu'une fois.\n\n"
        "Ce n'était pas vous ? Ne donnez ce code à personne et n'en faites rien. Si cela se répète, prévenez "
        "l'administrateur de votre établissement.\n"
        "Colloque ne vous demandera jamais ce code par téléphone.\n"
    )


def _hidden(token: str) -> str:
    return f'<input type="hidden" name="token" value="{escape(token)}">'


def _lines(said: str) -> str:
    return "<br>".join(escape(line) for line in said.splitlines())
