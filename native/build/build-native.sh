#!/bin/sh
# Configures where needed and builds the native library, one process at a time. Prints only what went wrong.
# Usage: build-native.sh SOURCE_DIRECTORY BUILD_DIRECTORY CONFIGURATION
set -eu
source=$1
build=$2
configuration=$3

have() {
    command -v "$1" >/dev/null 2>&1
}

# MSBuild reads this form as an error of its own.
fail() {
    echo "native build : error $1: $2" | tee "$build/build.log"
    exit 1
}

have cmake ||
    fail LKN002 "cmake 3.25 or newer is needed, and there is none on PATH. Debian, Ubuntu: apt install cmake"
have "${CXX:-c++}" || have g++ || have clang++ ||
    fail LKN003 "g++ 12 or newer, or another C++20 compiler that CXX names, is needed. Debian, Ubuntu: apt install g++"
if have ninja; then
    generator=Ninja
elif have make; then
    generator="Unix Makefiles"
else
    fail LKN004 "ninja or make is needed, and neither is on PATH. Debian, Ubuntu: apt install ninja-build"
fi

# CMake configures anew only when what it was called with has changed, or where a tool is that it remembers.
tools=$(for tool in cmake ninja make cc c++; do command -v "$tool" || true; done)
arguments="$source $generator $configuration ${CC-} ${CXX-} ${CFLAGS-} ${CXXFLAGS-} ${LDFLAGS-} $tools"
stamp="$build/configured"

configure_and_build() {
    if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$arguments" ]; then
        rm -f "$stamp"
        cmake --fresh -G "$generator" -S "$source" -B "$build" \
            -DCMAKE_BUILD_TYPE="$configuration" -DLORAKERNELS_TESTS=OFF || return
        printf %s "$arguments" >"$stamp"
    fi
    cmake --build "$build" --target lorakernels --parallel "$(nproc)"
}

exec 9>"$build/lock"
flock 9
if ! configure_and_build >"$build/build.log" 2>&1; then
    cat "$build/build.log"
    exit 1
fi
