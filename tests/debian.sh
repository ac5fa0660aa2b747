#!/bin/sh
# Install the system programs that some tests drive, where that is possible: as root, with apt. They are not started.
# Where it is not possible those tests are skipped by name; in CI (CI is set) that is a failure.
set -eu
# sqlite3's shell is the peer that the directory's import is measured against (make bench).
packages='dovecot-imapd dovecot-lmtpd nginx-light postfix redis-server postgresql sqlite3 chromium clamav-daemon'
missing=''
for package in $packages; do
    dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

refuse() {
    echo "Not installed:$missing ($1)." >&2
    [ -z "${CI:-}" ] || exit 1
    exit 0
}
[ "$(id -u)" = 0 ] || refuse 'not root: their tests are skipped'
command -v apt-get >/dev/null || refuse 'no apt here: their tests are skipped'

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    # By Debian's convention exit 101 forbids that an installation starts a service.
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
echo "Installing$missing (not started)"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
apt() { apt-get -qq -o DPkg::Lock::Timeout=300 -o APT::Install-Recommends=false "$@" >>"$log" 2>&1; }
# shellcheck disable=SC2086  # one word a package
apt update && apt install --yes $missing || { tail -n 20 "$log" >&2; rm -f "$log"; refuse 'apt failed: their tests are skipped'; }
rm -f "$log"
