#!/usr/bin/env bash
# Installs StarCraft II's Linux server build and SMAC's 23 maps. What it does and leaves: ./install_sc2.sh --help
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
MAP_LIST=$HERE/requirements/smac_maps.sha256
SMAC_COMMIT=d6aab33f76abc3849c50463a8592a84f59a5ef84
GAME_URLS=${SC2_URL_BASE:-https://blzdistsc2-a.akamaihd.net/Linux}
MAPS_URL=${SMAC_MAPS_URL:-https://github.com/oxwhirl/smac/archive/$SMAC_COMMIT.tar.gz}
LICENCE=http://blzdistsc2-a.akamaihd.net/AI_AND_MACHINE_LEARNING_LICENSE.html
# Blizzard publishes it with the words that typing it in is agreeing to the licence: used after consent only
PASSWORD=iagreetotheeula
TRIES=5

usage() {
    cat <<END
usage: ./install_sc2.sh [--version 4.10|4.6.2] [--path DIR] [--maps-only]

  --version V   the game's version (default 4.10; results of two versions do not compare)
  --path DIR    where to (default: \$SC2PATH, or ~/StarCraftII); one folder holds one version
  --maps-only   only SMAC's maps
  --help        this text

A download that was interrupted is continued by the same command. What is there already is left alone.

environment:
  ACCEPT_BLIZZARD_EULA=yes  you agree to Blizzard's AI and Machine Learning License (else you are asked)
  SC2_URL_BASE              a mirror: the address of the folder with SC2.4.10.zip, SC2.4.6.2.69232.zip
  SMAC_MAPS_URL             a mirror: the address of smac's .tar.gz, or a local folder with the maps
END
}

say() { printf '%s\n' "$*"; }

# Ends with a message. An exit status other than 1 comes first: fail [STATUS] MESSAGE...
fail() {
    local status=1
    case $1 in [0-9]*) status=$1 && shift ;; esac
    printf 'error: %s\n' "$1" >&2
    [ $# -eq 1 ] || printf '       %s\n' "${@:2}" >&2
    exit "$status"
}

have() { command -v "$1" >/dev/null 2>&1; }

require_tools() {
    local tool missing=()
    have curl || have wget || missing+=(curl)
    for tool in sha256sum tar gzip; do have "$tool" || missing+=("$tool"); done
    $maps_only || have unzip || missing+=(unzip)
    if ((${#missing[@]})); then
        fail "missing: ${missing[*]}. On Debian or Ubuntu: sudo apt-get install ${missing[*]/sha256sum/coreutils}"
    fi
}

ask_for_consent() {
    [ "${ACCEPT_BLIZZARD_EULA:-}" = yes ] && return
    cat >&2 <<END
StarCraft II for Linux belongs to Blizzard Entertainment. It may be downloaded and used by those who agree to the
AI and Machine Learning License:

    $LICENCE

Nothing has been downloaded. If you have read the licence and agree to it:

    ACCEPT_BLIZZARD_EULA=yes ./install_sc2.sh

If you do not: --env-config=sc2_sim needs neither the game nor this script.
END
    [ -t 0 ] || exit 2
    local answer
    read -r -p "Do you agree to the licence? Type yes or no: " answer
    [ "$answer" = yes ] || exit 2
}

# --- downloading

remote_size() { # URL; prints the bytes the server announces, or nothing
    local headers
    if have curl; then
        headers=$(curl -fsSLI --connect-timeout 30 "$1" 2>/dev/null) || return 0
    else
        headers=$(wget --spider -S -T 30 -t 1 "$1" 2>&1) || return 0
    fi
    printf '%s\n' "$headers" | tr -d '\r' | sed -n 's/^ *[Cc]ontent-[Ll]ength: *\([0-9][0-9]*\)$/\1/p' | tail -n 1
}

file_size() { if [ -f "$1" ]; then wc -c <"$1"; else echo 0; fi; }

# One attempt at URL into FILE, going on from what FILE holds. Returns 0 (complete), 1 (worth another attempt),
# 2 (the server will not go on from there) or 3 (the server refuses).
fetch() {
    local status=0 code=""
    if have curl; then
        local progress=(-sS) && [ -t 2 ] && progress=(--progress-bar)
        code=$(curl -fL "${progress[@]}" --connect-timeout 30 --speed-limit 1 --speed-time 60 -C - \
            -w '%{http_code}' -o "$2" "$1") || status=$?
        case $status:$code in 0:*) return 0 ;; 33:* | *:416) return 2 ;; 22:*) return 3 ;; esac
    else
        local progress=(-nv) && [ -t 2 ] && progress=(-q --show-progress)
        wget "${progress[@]}" -c -t 1 -T 60 -O "$2" "$1" || status=$?
        case $status in 0) return 0 ;; 8) return 3 ;; esac
    fi
    return 1
}

download() { # URL FILE [SIZE]; leaves FILE only once it is complete, and FILE.part until then
    local url=$1 file=$2 size=${3:-} try status
    [ -f "$file" ] && return
    [ -f "$file.part" ] && say "continuing the download of ${file##*/} after $(file_size "$file.part") bytes"
    for ((try = 1; try <= TRIES; try++)); do
        if [ -n "$size" ]; then
            [ "$(file_size "$file.part")" -gt "$size" ] && rm -f "$file.part"
            [ "$(file_size "$file.part")" -eq "$size" ] && break
        fi
        status=0 && fetch "$url" "$file.part" || status=$?
        case $status in
            0) break ;;
            2) rm -f "$file.part" ;;
            3) fail "$url could not be downloaded: the server refuses (see above)." ;;
            *) sleep "$try" ;;
        esac
    done
    if ((try > TRIES)) || [ "$(file_size "$file.part")" -ne "${size:-$(file_size "$file.part")}" ]; then
        [ -f "$file.part" ] && say "what has arrived is kept in $file.part" >&2
        fail "the download of $url broke off. Run the same command again to continue it."
    fi
    mv -f "$file.part" "$file"
}

require_space() { # BYTES FOR
    local free
    free=$(df -Pk "$target" | { read -r _ && read -r _ _ _ free _ && echo "$free"; })
    ((free >= $1 / 1024)) && return
    fail "$target has $((free / 1024)) MiB free; $2 needs $(($1 / 1048576 + 1)) MiB. Choose another folder with --path."
}

# --- the game

game_is_installed() { [ -f "$target/Versions/Base$base/SC2_x64" ]; }

refuse_second_version() {
    local other
    for other in "$target"/Versions/Base*/SC2_x64; do
        [ -f "$other" ] || continue
        other=${other%/SC2_x64}
        fail "$target already holds another version of the game (${other##*/})." \
            "Each version has its own data (SC2Data, .build.info), which one folder cannot hold twice." \
            "For StarCraft II $version: ./install_sc2.sh --version $version --path $(printf %q "$target-$version")"
    done
}

unpack_game() { # ZIP; unpacks into staging, so that a damaged archive leaves nothing that looks installed
    local totals status=0
    totals=$(unzip -Zt "$1" 2>/dev/null | sed -n 's/.* \([0-9][0-9]*\) bytes uncompressed.*/\1/p') || totals=""
    if [ -n "$totals" ]; then
        require_space "$totals" "the unpacked game"
        say "unpacking ${1##*/} (some minutes)"
        unzip -q -o -P "$PASSWORD" "$1" -d "$work/staging" </dev/null >&2 || status=$?
        [ "$status" -eq 50 ] && fail "no space left in $target"
        [ "$status" -le 1 ] && return # 1 is a warning
    fi
    rm -f "$1"
    fail "${1##*/} is damaged and was removed. Run the same command again to download it afresh."
}

# Moves what was unpacked into place, the program last: it is what counts as installed.
move_game() { # FOLDER
    local entry name program=Versions/Base$base
    [ -f "$1/$program/SC2_x64" ] || fail "the archive holds no $program/SC2_x64: it is not StarCraft II $version."
    chmod +x "$1/$program/SC2_x64"
    mv "$1/$program" "$work/staging/program"
    for entry in "$1"/* "$1"/.[!.]*; do # .build.info is one of them, and the game does not start without it
        name=${entry##*/}
        if [ ! -e "$entry" ]; then
            continue
        elif [ -e "$target/$name" ]; then # Maps, or what an interrupted installation left
            cp -a "$entry" "$target/"
        else
            mv "$entry" "$target/"
        fi
    done
    rm -rf "${target:?}/$program"
    mkdir -p "$target/Versions"
    mv "$work/staging/program" "$target/$program"
}

install_game() {
    local size folder
    size=$(remote_size "$GAME_URLS/$zip")
    # the archive and what comes out of it; the archive is some 4 GB where the server does not say
    require_space $((${size:-4000000000} * 5 / 2 - $(file_size "$work/$zip") - $(file_size "$work/$zip.part"))) \
        "StarCraft II $version"
    say "downloading StarCraft II $version${size:+ ($((size / 1048576)) MiB)}: $GAME_URLS/$zip"
    download "$GAME_URLS/$zip" "$work/$zip" "$size"
    unpack_game "$work/$zip"
    folder=$(find "$work/staging" -maxdepth 2 -type d -name StarCraftII -print -quit)
    [ -n "$folder" ] || fail "$zip holds no folder StarCraftII; is SC2_URL_BASE right?"
    move_game "$folder"
    rm -f "$work/$zip"
}

# --- the maps

maps_are_installed() {
    [ -d "$maps" ] && (cd "$maps" && sha256sum --check --quiet --status "$MAP_LIST" 2>/dev/null)
}

install_maps() {
    local source=$MAPS_URL found folder bad name
    if [ ! -d "$source" ]; then
        say "downloading SMAC's maps: $source"
        download "$source" "$work/smac.tar.gz"
        mkdir "$work/staging/smac"
        if ! tar -xzf "$work/smac.tar.gz" -C "$work/staging/smac"; then
            rm -f "$work/smac.tar.gz"
            fail "smac's archive is damaged and was removed. Run the same command again to download it afresh."
        fi
        source=$work/staging/smac
    fi
    found=$(find "$source" -name 3m.SC2Map -print -quit)
    [ -n "$found" ] || fail "no 3m.SC2Map in $MAPS_URL; SMAC_MAPS_URL is the address of smac's .tar.gz or a folder."
    folder=${found%/*}
    if ! bad=$(cd "$folder" && LC_ALL=C sha256sum --check --quiet "$MAP_LIST" 2>/dev/null); then
        rm -f "$work/smac.tar.gz"
        fail "these maps are missing or are not those of smac's commit $SMAC_COMMIT; none was installed:" "$bad"
    fi
    mkdir -p "$work/staging/maps" "$maps"
    while read -r _ name; do cp "$folder/$name" "$work/staging/maps/"; done <"$MAP_LIST"
    mv -f "$work/staging/maps/"*.SC2Map "$maps/"
    rm -f "$work/smac.tar.gz"
}

# --- what was typed

version=4.10
target=${SC2PATH:-${HOME:-}/StarCraftII}
maps_only=false
while (($#)); do
    case $1 in
        --version | --path)
            (($# > 1)) || fail 2 "$1 needs a value. Try ./install_sc2.sh --help"
            if [ "$1" = --version ]; then version=$2; else target=$2; fi
            shift 2
            ;;
        --version=*) version=${1#*=} && shift ;;
        --path=*) target=${1#*=} && shift ;;
        --maps-only) maps_only=true && shift ;;
        -h | --help) usage && exit 0 ;;
        *) fail 2 "unknown option $1. Try ./install_sc2.sh --help" ;;
    esac
done
case $version in
    4.10) base=75689 zip=SC2.4.10.zip ;;
    4.6.2) base=69232 zip=SC2.4.6.2.69232.zip ;;
    *) fail 2 "--version $version: known are 4.10 and 4.6.2." ;;
esac
[ -n "$target" ] || fail 2 "--path is empty."
[ -f "$MAP_LIST" ] || fail "$MAP_LIST is missing; run this script in a complete checkout."
case $target in /*) ;; *) target=$PWD/$target ;; esac
maps=$target/Maps/SMAC_Maps
work=$target/.install # downloads and unpacked files on the way, removed at the end

game_wanted=true
if $maps_only || game_is_installed; then game_wanted=false; fi
if ! $game_wanted && maps_are_installed; then
    $maps_only || say "StarCraft II $version (Base$base) is in $target"
    say "SMAC's 23 maps are in $maps; nothing to do."
    exit 0
fi

if $game_wanted; then
    [ "$(uname -sm)" = "Linux x86_64" ] || fail "Blizzard's server build is for Linux x86-64; this is $(uname -sm)." \
        "Elsewhere, install StarCraft II from Battle.net, set SC2PATH, and run ./install_sc2.sh --maps-only"
    refuse_second_version
    ask_for_consent
fi
require_tools
mkdir -p "$work" || fail "cannot write to $target. Choose another folder with --path."
if have flock; then
    exec 9>"$work/lock"
    flock -n 9 || fail "another install_sc2.sh is at work in $target."
fi
rm -rf "$work/staging"
mkdir "$work/staging"
trap 'rm -rf "$work/staging"' EXIT

if $game_wanted; then install_game; fi
if ! maps_are_installed; then install_maps; fi
rm -rf "$work"

$maps_only || say "StarCraft II $version (Base$base) is in $target"
say "SMAC's 23 maps are in $maps"
if [ "$target" != "${HOME:-}/StarCraftII" ]; then
    say "Tell programs where, in this shell and in your shell's start-up file:"
    say "    export SC2PATH=$(printf %q "$target")"
fi
