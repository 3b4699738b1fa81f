# What every native target is compiled with: link lorakernels_compile_options.
add_library(lorakernels_compile_options INTERFACE)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_C_STANDARD 11)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG -g")
set(CMAKE_C_FLAGS_RELEASE "-O3 -DNDEBUG -g")

# The same source gives the same bits on every machine, so no fused multiply-add where the source has none, and nothing
# that -ffast-math would allow.
set(host_options
    -ffp-contract=off
    -fno-math-errno
    -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
target_compile_options(lorakernels_compile_options INTERFACE
    $<$<COMPILE_LANGUAGE:C,CXX>:-Wall -Wextra -Wpedantic ${host_options} $<$<BOOL:${LORAKERNELS_WERROR}>:-Werror>>)

# What the portable code may use; faster paths are units of their own, chosen at run time.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
    target_compile_options(lorakernels_compile_options INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-march=x86-64-v2>)
endif()

if(LORAKERNELS_SANITIZE)
    set(sanitizer_options -fsanitize=${LORAKERNELS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_options(lorakernels_compile_options INTERFACE ${sanitizer_options})
    target_link_options(lorakernels_compile_options INTERFACE ${sanitizer_options})
    target_compile_definitions(lorakernels_compile_options INTERFACE _GLIBCXX_ASSERTIONS)
endif()

# Kernels. No contraction here either: what the emulated device computes is what a GPU computes. constexpr functions of
# the host's code (formats, layouts, numbers) serve kernels too.
add_library(lorakernels_cuda_options INTERFACE)
string(REPLACE ";" "," cuda_host_options "-Wall;-Wextra;${host_options}")
target_compile_options(lorakernels_cuda_options INTERFACE
    $<$<COMPILE_LANGUAGE:CUDA>:-fmad=false --expt-relaxed-constexpr
    -Xcompiler=${cuda_host_options} $<$<BOOL:${LORAKERNELS_WERROR}>:-Werror=all-warnings>>)
