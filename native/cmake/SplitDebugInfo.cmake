# Moves a library's debug information into <library>.debug beside it, where a debugger finds it by name and build id.
function(split_debug_info target)
    get_target_property(directory ${target} LIBRARY_OUTPUT_DIRECTORY)
    set(library ${directory}/${CMAKE_SHARED_LIBRARY_PREFIX}${target}${CMAKE_SHARED_LIBRARY_SUFFIX})
    add_custom_command(TARGET ${target} POST_BUILD
        COMMAND ${CMAKE_OBJCOPY} --only-keep-debug ${library} ${library}.debug
        COMMAND ${CMAKE_OBJCOPY} --strip-unneeded --add-gnu-debuglink=${library}.debug ${library}
        BYPRODUCTS ${library}.debug
        VERBATIM)
endfunction()
