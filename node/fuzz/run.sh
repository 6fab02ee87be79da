#!/usr/bin/env bash
# Runs every fuzz target for a bounded time, on the pinned stable compiler. Why and how: docs/decisions/0013-fuzzing.md.
#
#   node/fuzz/run.sh [seconds-per-target [target..]]    6 seconds and all targets, when nothing is said
#   node/fuzz/run.sh replay <input>                     one kept input, artifacts/<target>/.., with a backtrace
#
# Exit code 0: nothing found; 1: a finding, its input kept in node/fuzz/artifacts/<target>/; 2: the targets could not be built.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
called_from=$PWD
cd "$here"

# Far above what any target needs: a decoder that allocates what a peer announces runs into it.
MEMORY_MIB=512
ADDRESS_SPACE_KIB=1048576
# The longest time for one input; a healthy target needs microseconds.
INPUT_SECONDS=10
# Inputs up to here; the largest frame of any protocol is 16 KiB.
INPUT_BYTES=20000
SEED=1

build_dir=${CARGO_TARGET_DIR:-$root/target}/fuzz
export CARGO_TARGET_DIR=$build_dir

fail() {
    printf 'fuzz: %s\n' "$1" >&2
    exit 2
}

# Name and version of each package in a lock file.
versions() {
    awk '$1 == "name" { name = $3 } $1 == "version" && name != "" { print name, $3; name = "" }' "$1" | sort
}

# What is fuzzed has to be what is shipped.
align_versions() {
    local own='"(darkswap-fuzz|libfuzzer-sys|arbitrary)"' differing
    differing=$(comm -23 <(versions Cargo.lock) <(versions "$root/Cargo.lock") | grep -Ev "^$own" || true)
    [ -n "$differing" ] || return 0
    [ -z "${CI:-}" ] || fail "node/fuzz/Cargo.lock has versions that Cargo.lock has not: ${differing//$'\n'/, }.
      Run node/fuzz/run.sh and commit the lock file that it writes."
    echo "fuzz: taking the versions of Cargo.lock over into node/fuzz/Cargo.lock"
    cp "$root/Cargo.lock" Cargo.lock
}

build() {
    command -v cargo >/dev/null || fail 'cargo is missing. Install Rust: https://rustup.rs'
    command -v "${CXX:-c++}" >/dev/null || fail "the C++ compiler ${CXX:-c++} is missing; libFuzzer is compiled with it.
      Debian, Ubuntu: apt-get install g++. macOS: xcode-select --install."
    align_versions
    local triple
    triple=$(rustc -vV | sed -n 's/^host: //p')
    # The flags of cargo-fuzz without a sanitizer. With an explicit target they spare build scripts and macros.
    local coverage='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
        -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0
        -Ccodegen-units=1 --cfg fuzzing'
    env -u CARGO_ENCODED_RUSTFLAGS RUSTFLAGS="$(tr -s ' \n' ' ' <<<"$coverage")" \
        cargo build ${CI:+--locked} --release --bins --target "$triple" || fail 'the targets do not build'
    binaries=$build_dir/$triple/release
}

# One target: its line in the table, and what was found.
fuzz() {
    local target=$1 seconds=$2 log=$build_dir/log/$1 status=0
    local corpus=$build_dir/corpus/$target artifacts=artifacts/$target seeds=seeds/$target
    rm -rf "$corpus"
    mkdir -p "$corpus" "$artifacts" "$seeds" "$build_dir/log"
    (
        ulimit -c 0
        ulimit -v "$ADDRESS_SPACE_KIB" 2>/dev/null || true
        RUST_BACKTRACE=0 exec "$binaries/$target" -seed="$SEED" -max_total_time="$seconds" -max_len="$INPUT_BYTES" \
            -timeout="$INPUT_SECONDS" -rss_limit_mb="$MEMORY_MIB" -artifact_prefix="$artifacts/" \
            -print_final_stats=1 "$corpus" "$seeds"
    ) >"$log" 2>&1 || status=$?

    local executions coverage inputs result=ok
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    coverage=$(sed -n 's/^#.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    inputs=$(sed -n 's/^#.* corp: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
    if [ "$status" -eq 0 ]; then rmdir "$artifacts" 2>/dev/null || true; else result=FOUND; fi
    local line
    line=$(printf '%-24s %12s %8s %8s  %s' "$target" "${executions:--}" "${coverage:--}" "${inputs:--}" "$result")
    [ "$status" -eq 0 ] || line+=$'\n'$(finding "$target" "$log" "$status")
    printf '%s\n' "$line"
    return "$((status != 0))"
}

# What a failed target said, and how to see it again.
finding() {
    local target=$1 log=$2 status=$3 input
    input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    { grep -A 3 'panicked at' "$log" || grep -E '(ERROR|SUMMARY): libFuzzer|memory allocation of' "$log" || tail -n 5 "$log"; } |
        head -n 5 | sed 's/^/    /'
    if [ -n "$input" ]; then
        sed -n 's/^Base64: /    input in base64: /p' "$log" | cut -c 1-4096
        printf '    replay: node/fuzz/run.sh replay node/fuzz/%s\n' "$input"
    else
        printf '    exit code %s without an input; the log is %s\n' "$status" "$log"
    fi
}

replay() {
    local input=$1
    case $input in /*) ;; *) input=$called_from/$input ;; esac
    [ -f "$input" ] || fail "there is no file $1"
    local target
    target=$(basename "$(dirname "$input")")
    [ -f "targets/$target.rs" ] || fail "there is no target $target; the input's folder has to have a target's name"
    build
    ulimit -v "$ADDRESS_SPACE_KIB" 2>/dev/null || true
    RUST_BACKTRACE=1 exec "$binaries/$target" -runs=1 -timeout="$INPUT_SECONDS" -rss_limit_mb="$MEMORY_MIB" "$input"
}

if [ "${1:-}" = replay ]; then
    [ $# -eq 2 ] || fail 'usage: node/fuzz/run.sh replay <input>'
    replay "$2"
fi

seconds=${1:-6}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || fail "found '$seconds', expected seconds per target. Usage: node/fuzz/run.sh [seconds [target..]]"
targets=("${@:2}")
if [ ${#targets[@]} -eq 0 ]; then
    for file in targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi
for target in "${targets[@]}"; do [ -f "targets/$target.rs" ] || fail "there is no target $target"; done

build
export build_dir binaries MEMORY_MIB ADDRESS_SPACE_KIB INPUT_SECONDS INPUT_BYTES SEED
export -f fuzz finding
processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
printf '%-24s %12s %8s %8s  %s\n' target executions coverage inputs "result of $seconds s each, $processors at once"
status=0
printf '%s\n' "${targets[@]}" | xargs -n 1 -P "$processors" bash -c 'fuzz "$1" "$0"' "$seconds" || status=1
exit "$status"
