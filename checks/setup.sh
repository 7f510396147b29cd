#!/bin/sh
# Installs what one part of the project needs and the machine lacks. Does nothing when all is there.
# Debian packages are installed when this user may; otherwise the message names them.
set -eu

need_debian() { # need_debian WHY PACKAGE...
	why=$1
	shift
	missing=""
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
	done
	[ -z "$missing" ] && return 0
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		echo "installing$missing ($why)"
		apt-get update -qq
		# shellcheck disable=SC2086 # a list of package names
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
	else
		echo "missing: $why needs the Debian packages:$missing" >&2
		echo "install them with: sudo apt-get install$missing" >&2
		exit 1
	fi
}

need_command() { # need_command COMMAND DEBIAN-PACKAGE WHY
	command -v "$1" >/dev/null || need_debian "$3" "$2"
}

case "${1:-}" in
rust)
	command -v cargo >/dev/null || {
		echo "missing: cargo. Install Rust 1.95 or later with rustup (https://rustup.rs)." >&2
		exit 1
	}
	need_command cc gcc "linking"
	need_command ffmpeg ffmpeg "media: the server makes files of uploads with it, and so do its tests"
	need_command heif-convert libheif-examples "media: pictures of phones"
	;;
python)
	need_command python3 python3 "the acceptance tests"
	need_command stunnel stunnel4 "the acceptance test of FIX over TLS"
	need_command strace strace "the acceptance test of a failing disk"
	need_command promtool prometheus "the tests of deploy/"
	need_command amtool prometheus-alertmanager "the tests of deploy/"
	need_command pebble pebble "the acceptance test of ACME"
	need_command chromium chromium "the acceptance test of passkeys in a browser"
	need_command chromedriver chromium-driver "the acceptance test of passkeys in a browser"
	python3 -c 'import ensurepip, venv' 2>/dev/null || need_debian "the acceptance tests" python3-venv
	;;
bench)
	need_debian "the FIX peer in bench/fix" g++ make libquickfix-dev
	need_debian "the HTTP measurements of bench/" wrk nginx-light
	need_debian "the feed measurements of bench/" redis-server
	;;
*)
	echo "usage: checks/setup.sh rust|python|bench" >&2
	exit 2
	;;
esac
