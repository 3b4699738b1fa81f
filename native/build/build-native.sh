#!/bin/sh
# Configures where needed and builds the native libraries, one process at a time. Prints only what went wrong.
# LORAKERNELS_CUDA (AUTO, ON, OFF, or where the toolkit is) and LORAKERNELS_WERROR in the environment are CMake's
# options of these names.
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

cache=${XDG_CACHE_HOME:-$HOME/.cache}

# CMake configures anew only when what it was called with has changed, or where a tool is that it remembers.
tools=$(for tool in cmake ninja make cc c++ nvcc /usr/local/cuda/bin/nvcc "$cache/lorakernels/cuda/bin/nvcc"; do
    command -v "$tool" || true
done)
cuda="${LORAKERNELS_CUDA:-AUTO} ${CUDACXX-} ${CUDA_HOME-} ${CUDA_PATH-}"
arguments="$source $generator $configuration ${CC-} ${CXX-} ${CFLAGS-} ${CXXFLAGS-} ${LDFLAGS-} $cuda ${LORAKERNELS_WERROR-} $tools"
stamp="$build/configured"

configure_and_build() {
    if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$arguments" ]; then
        rm -f "$stamp"
        cmake --fresh -G "$generator" -S "$source" -B "$build" \
            -DCMAKE_BUILD_TYPE="$configuration" -DLORAKERNELS_TESTS=OFF \
            -DLORAKERNELS_CUDA="${LORAKERNELS_CUDA:-AUTO}" \
            -DLORAKERNELS_WERROR="${LORAKERNELS_WERROR:-OFF}" || return
        printf %s "$arguments" >"$stamp"
    fi
    cmake --build "$build" --target lorakernels lorakernels_emulated --parallel "$(nproc)"
}

exec 9>"$build/lock"
flock 9
if ! configure_and_build >"$build/build.log" 2>&1; then
    cat "$build/build.log"
    exit 1
fi
