# Decides whether CUDA kernels are compiled, and with which nvcc; says so in one line.
#
# LORAKERNELS_CUDA: AUTO (if a compiler is found), ON (it must be), OFF, or the path of an nvcc or of a toolkit's folder.
set(LORAKERNELS_CUDA AUTO CACHE STRING "CUDA kernels: AUTO, ON, OFF, or the path of nvcc or of a CUDA toolkit")

# Every kernel is compiled once for each of these, so the list is short. A binary runs on all processors of its major
# version from its minor version on: 80 is for 8.0, 8.6 and 8.9, which differ in throughput and shared memory (what the
# launch chooses by) and in nothing that a kernel here would be compiled for. 90a has Hopper's wgmma. The PTX of 90 is
# what drivers translate for everything newer.
set(LORAKERNELS_CUDA_ARCHITECTURES "80-real;90a-real;90-virtual"
    CACHE STRING "CUDA architectures, as CMAKE_CUDA_ARCHITECTURES takes them")

# Where toolkits install themselves, and where fetch-cuda puts one.
function(find_nvcc result)
    # A variable that is set already, even to nothing, would end the search.
    unset(found)
    find_program(found nvcc NO_CACHE
        HINTS ENV CUDACXX ENV CUDA_HOME ENV CUDA_PATH
        PATHS $ENV{XDG_CACHE_HOME}/lorakernels/cuda $ENV{HOME}/.cache/lorakernels/cuda
              /usr/local/cuda /opt/cuda
        PATH_SUFFIXES bin)
    if(DEFINED ENV{CUDACXX} AND EXISTS "$ENV{CUDACXX}")
        set(found "$ENV{CUDACXX}")
    endif()
    set(${result} "${found}" PARENT_SCOPE)
endfunction()

# Why this nvcc cannot be used, or an empty string.
function(why_not_nvcc nvcc result version_result)
    set(${result} "" PARENT_SCOPE)
    execute_process(COMMAND ${nvcc} --version OUTPUT_VARIABLE text ERROR_VARIABLE text RESULT_VARIABLE status)
    if(NOT status EQUAL 0 OR NOT text MATCHES "release ([0-9]+\\.[0-9]+)")
        set(${result} "it does not run" PARENT_SCOPE)
        return()
    endif()
    set(${version_result} ${CMAKE_MATCH_1} PARENT_SCOPE)
    if(CMAKE_MATCH_1 VERSION_LESS 12.0)
        set(${result} "its version is ${CMAKE_MATCH_1}, 12.0 or newer is needed" PARENT_SCOPE)
        return()
    endif()
    # Each nvcc accepts host compilers up to some version only.
    set(probe ${CMAKE_BINARY_DIR}/CMakeFiles/cuda_probe)
    file(WRITE ${probe}.cu "#include <cstdint>\n__global__ void probe() {}\n")
    execute_process(COMMAND ${nvcc} -std=c++20 -ccbin ${CMAKE_CXX_COMPILER} -arch=sm_80 -c ${probe}.cu -o ${probe}.o
        OUTPUT_VARIABLE text ERROR_VARIABLE text RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        set(${result} "it does not compile C++20 with ${CMAKE_CXX_COMPILER} ${CMAKE_CXX_COMPILER_VERSION}" PARENT_SCOPE)
    endif()
endfunction()

# A macro: languages are enabled for the scope that includes them.
macro(decide_on_cuda)
    set(LORAKERNELS_HAS_CUDA OFF)
    set(nvcc "")
    if(LORAKERNELS_CUDA STREQUAL "OFF")
        set(decision "off, as LORAKERNELS_CUDA asks")
    elseif(LORAKERNELS_SANITIZE)
        set(decision "off: sanitizers are for the host's code")
    else()
        if(LORAKERNELS_CUDA MATCHES "^(AUTO|ON)$")
            find_nvcc(nvcc)
        else()
            find_program(nvcc_given nvcc NO_CACHE NO_DEFAULT_PATH PATHS ${LORAKERNELS_CUDA} PATH_SUFFIXES bin)
            set(nvcc ${LORAKERNELS_CUDA})
            if(nvcc_given)
                set(nvcc ${nvcc_given})
            endif()
        endif()
        if(NOT nvcc)
            set(decision "off: no nvcc on PATH, in CUDACXX, CUDA_HOME or the usual places (native/build/fetch-cuda brings one)")
        else()
            why_not_nvcc(${nvcc} reason cuda_version)
            if(reason)
                set(decision "off: ${nvcc}: ${reason}")
            else()
                set(LORAKERNELS_HAS_CUDA ON)
                string(REPLACE ";" " " names "${LORAKERNELS_CUDA_ARCHITECTURES}")
                set(decision "${cuda_version} (${nvcc}) for ${names}")
            endif()
        endif()
        if(NOT LORAKERNELS_HAS_CUDA AND NOT LORAKERNELS_CUDA STREQUAL "AUTO")
            message(FATAL_ERROR "LORAKERNELS_CUDA is ${LORAKERNELS_CUDA}, but CUDA is ${decision}")
        endif()
    endif()
    message(STATUS "CUDA: ${decision}")
    set(LORAKERNELS_CUDA_DECISION "${decision}")

    if(LORAKERNELS_HAS_CUDA)
        set(CMAKE_CUDA_COMPILER ${nvcc})
        set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER})
        set(CMAKE_CUDA_ARCHITECTURES ${LORAKERNELS_CUDA_ARCHITECTURES})
        set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
        set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
        enable_language(CUDA)
        # CMake 3.25 as Debian has it does not know nvcc's flag for C++20.
        if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
            set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
        endif()
        set(CMAKE_CUDA_STANDARD 20)
        set(CMAKE_CUDA_STANDARD_REQUIRED ON)
        set(CMAKE_CUDA_EXTENSIONS OFF)
    endif()
endmacro()
