"""The pages and the mail of `/entrer`. Whatever comes from outside is escaped here, and nowhere else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from html import escape

from colloque.professional import Professional
from colloque.psc.claims import No as PscNo
from colloque_annuaire.rules.enrol import No
from colloque_annuaire.texts import annuaire as texts
from colloque_annuaire.texts import psc as texts_psc

CODE_SUBJECT = "Votre code pour entrer sur Colloque"
WRONG_CODE = "Ce n’est pas le bon code. Vérifiez les chiffres."

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
section>:first-child{margin-top:0}
section>:last-child{margin-bottom:0}
section[role=alert]{border-left:5px solid var(--accent)}
label{display:block;font-weight:600;margin:.75rem 0 .3rem}
input{width:100%;font:inherit;padding:.8rem;border:1px solid var(--soft);border-radius:10px;background:var(--paper);color:var(--ink)}
button,.button{display:block;width:100%;margin:.9rem 0 0;padding:.9rem;border:0;border-radius:10px;background:var(--accent);color:#fff;
font:inherit;font-weight:700;text-align:center;text-decoration:none}
@media(prefers-color-scheme:dark){button,.button{color:#06211f}}
.second{background:transparent;color:var(--accent);border:2px solid var(--accent)}
.soft{color:var(--soft);font-size:.92rem}
.key{font:600 1.15rem/1.4 ui-monospace,Menlo,Consolas,monospace;background:var(--back);border-radius:10px;padding:.7rem .3rem;text-align:center;
overflow-wrap:anywhere;user-select:all}
.account{font-size:1.02rem}
ol{padding-left:1.3rem;margin:.5rem 0}
li{margin:.35rem 0}
footer{text-align:center;padding:.25rem 0}
footer a{color:var(--accent);display:inline-block;padding:.6rem}
button:focus-visible,.button:focus-visible,input:focus-visible,a:focus-visible{outline:3px solid var(--ink);outline-offset:2px}
""".strip()
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


_HELP = '<footer><a href="/entrer/aide">Besoin d’aide ?</a></footer>'


def page(title: str, body: str, *, helps: bool = False) -> str:
    """A whole page. `body` is HTML, already escaped. `helps`: it is the help itself."""
    return (
        '<!doctype html><html lang="fr"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{escape(title)} – Colloque</title><style>{STYLE}</style></head>"
        f"<body><main><header>Colloque</header>{body}{'' if helps else _HELP}</main></body></html>"
    )


def start(token: str, *, by_psc: bool) -> str:
    """`/entrer`: the ways in."""
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
    neither = (
        f"<section><h2>{_neither(by_psc=by_psc)}</h2><p>Deux confrères vérifiés peuvent se porter garants de vous. "
        '<a href="/entrer/aide">Comment faire</a></p></section>'
    )
    return page("Entrer", lead + psc + mail + neither)


def help_page(*, by_psc: bool) -> str:
    """`/entrer/aide`."""
    psc = (
        "<section><h2>Pro Santé Connect</h2><p>Il vous faut votre carte CPS, ou l’application e-CPS activée sur votre "
        "téléphone. Sans elles, prenez le code par votre boîte MSSanté.</p></section>"
        if by_psc
        else ""
    )
    return page(
        "Aide",
        f"<h1>Besoin d’aide ?</h1>{psc}"
        "<section><h2>Le code par la boîte MSSanté</h2><p>Il part vers votre boîte personnelle, telle que l’Annuaire "
        "Santé la publie ; elle ne peut pas être changée ici. Il arrive en une minute ou deux : regardez aussi les "
        "indésirables.</p></section>"
        f"<section><h2>{_neither(by_psc=by_psc)}</h2><p>Deux confrères vérifiés sur Colloque, qui vous connaissent, peuvent "
        "se porter garants de vous, pour un temps limité :</p><ol><li>le premier tape <strong>!garant</strong> suivi de votre "
        "numéro RPPS, dans son salon « Colloque », et vous remet le lien qu’il reçoit ;</li><li>vous donnez au deuxième le "
        "compte que ce lien montre ; il tape <strong>!garant</strong> suivi de ce compte.</li></ol></section>"
        "<section><h2>Assistants, secrétaires</h2><p>Le professionnel avec qui vous travaillez vous envoie un "
        "lien.</p></section>"
        "<section><h2>Nouvel appareil, mot de passe perdu</h2><p>Prouvez de nouveau qui vous êtes : vous gardez le même "
        "compte, avec un nouveau mot de passe. Il vaut dix minutes et ne sert qu’une fois.</p></section>"
        "<section><h2>Attention</h2><p>Personne ne vous demandera jamais votre code ni votre mot de passe, ni par "
        "téléphone ni par message. Vérifiez l’adresse de cette page avant d’y taper quoi que ce soit.</p></section>"
        '<a class="button second" href="/entrer">Revenir</a>',
        helps=True,
    )


def _neither(*, by_psc: bool) -> str:
    return "Ni l’un ni l’autre" if by_psc else "Sans boîte MSSanté"


def go_on(token: str) -> str:
    """Who it is was proved, and a service that is needed now does not answer."""
    return page(
        "Un instant",
        "<h1>Presque fini</h1><section role=alert><p>Votre identité est prouvée, mais un service ne répond pas pour "
        "l’instant. Rien n’est perdu : réessayez dans une minute.</p>"
        f'<form method="post" action="/entrer/suite">{_hidden(token)}<button>Réessayer</button></form>'
        '<p class="soft">Code : unavailable</p></section>',
    )


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


def entered(user: str, password: str, app_link: str, to_answer: str) -> str:
    """The password, once. `to_answer`: what @annuaire asks in the home room."""
    asked = (
        f"<section><h2>Une fois connecté, répondez dans le salon « Colloque »</h2><p>{_lines(to_answer)}</p></section>"
        if to_answer
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
    "no_personal_mailbox": (
        "L'Annuaire Santé ne vous connaît pas de boîte MSSanté personnelle, et le code ne part que là.\n"
        "Ouvrez-en une (Mailiz est gratuit), ou demandez à deux confrères de se porter garants de vous : l'aide dit comment."
    ),
    "not_attested": (
        "Votre identité n'a pas pu être vérifiée ici : votre numéro a déjà un compte, ou votre accès a changé.\n"
        "Recommencez ; si cela se répète, voyez votre administrateur."
    ),
    "not_found": "Cette page n'existe pas.\nRecommencez depuis le début.",
    "bad_method": "Cette page ne s'ouvre pas ainsi.\nRecommencez depuis le début.",
    "bad_form": "Ce formulaire n'est pas le nôtre.\nRecommencez depuis le début.",
    "too_large": "Ce formulaire est trop long.\nRecommencez depuis le début.",
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
