# Boost's headers: those that CMake finds (Boost_INCLUDE_DIR may name them), else those of the header-only package
# libboost-headers in the building Python's site directories (an isolated build has it there).
if(NOT TARGET boc_boost)
  find_path(BOC_BOOST_INCLUDE boost/lockfree/queue.hpp HINTS ${Boost_INCLUDE_DIR} $ENV{BOOST_ROOT})
  if(NOT BOC_BOOST_INCLUDE)
    if(NOT Python_EXECUTABLE)
      find_program(BOC_ANY_PYTHON NAMES python3 python NO_CACHE)
      set(_boc_python ${BOC_ANY_PYTHON})
    else()
      set(_boc_python ${Python_EXECUTABLE})
    endif()
    execute_process(
      COMMAND ${_boc_python} -c "
import os, sys, sysconfig
roots = list(sys.path) + list(sysconfig.get_paths().values()) + [sys.prefix]
tails = ['', 'include', 'libboost_headers/include', 'boost_headers/include', 'libboost/include']
for root in roots:
    for tail in tails:
        d = os.path.join(root, tail)
        if os.path.isfile(os.path.join(d, 'boost', 'lockfree', 'queue.hpp')):
            print(d, end=''); sys.exit()
"
      OUTPUT_VARIABLE _boc_found)
    if(NOT _boc_found)
      message(FATAL_ERROR
        "Boost's headers were not found. Install them (pip install libboost-headers, or the system's Boost "
        "development package) or point -DBoost_INCLUDE_DIR=... at them.")
    endif()
    set(BOC_BOOST_INCLUDE ${_boc_found} CACHE PATH "Boost's headers" FORCE)
  endif()
  add_library(boc_boost INTERFACE)
  target_include_directories(boc_boost SYSTEM INTERFACE $<BUILD_INTERFACE:${BOC_BOOST_INCLUDE}>)
endif()
