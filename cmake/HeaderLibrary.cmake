# boc_header_library(TARGET CACHE_VARIABLE PROBE header HINT folder... SUBFOLDERS name... MISSING text)
#
# An interface target for a library of headers alone: those that CMake finds (HINT may name them), else those of a
# package in the site directories of the building Python (an isolated build has it there), below one of SUBFOLDERS.
# PROBE is a header that tells them. Where they lie is kept in CACHE_VARIABLE; MISSING says what to do if there are none.
function(boc_header_library target variable)
  if(TARGET ${target})
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "PROBE" "HINT;SUBFOLDERS;MISSING")
  find_path(${variable} ${arg_PROBE} HINTS ${arg_HINT} PATH_SUFFIXES ${arg_SUBFOLDERS})
  if(NOT ${variable})
    _boc_headers_of_python(_boc_found ${arg_PROBE} ${arg_SUBFOLDERS})
    if(NOT _boc_found)
      message(FATAL_ERROR ${arg_MISSING})
    endif()
    set(${variable} ${_boc_found} CACHE PATH "Headers that ${target} adds" FORCE)
  endif()
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE $<BUILD_INTERFACE:${${variable}}>)
endfunction()

function(_boc_headers_of_python result probe)
  set(_boc_python ${Python_EXECUTABLE})
  if(NOT _boc_python)
    find_program(_boc_python NAMES python3 python NO_CACHE)
  endif()
  execute_process(
    COMMAND ${_boc_python} -c "
import os, sys, sysconfig
probe, *subfolders = sys.argv[1:]
for root in [*sys.path, *sysconfig.get_paths().values(), sys.prefix]:
    for subfolder in ['', 'include', *subfolders]:
        folder = os.path.abspath(os.path.join(root, subfolder))
        if os.path.isfile(os.path.join(folder, *probe.split('/'))):
            print(folder, end='')
            sys.exit()
" ${probe} ${ARGN}
    OUTPUT_VARIABLE _boc_output)
  set(${result} ${_boc_output} PARENT_SCOPE)
endfunction()
