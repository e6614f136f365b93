# Eigen's headers: those that CMake finds (Eigen3_INCLUDE_DIR may name them), else those of the header-only package
# cmeel-eigen in the building Python's site directories (an isolated build has it there).
if(NOT TARGET boc_eigen)
  find_path(BOC_EIGEN_INCLUDE Eigen/Core HINTS ${Eigen3_INCLUDE_DIR} PATH_SUFFIXES eigen3)
  if(NOT BOC_EIGEN_INCLUDE)
    execute_process(
      COMMAND ${Python_EXECUTABLE} -c "
import os, sys, sysconfig
roots = list(sys.path) + list(sysconfig.get_paths().values()) + [sys.prefix]
tails = ['', 'include', 'eigen3', 'include/eigen3', 'cmeel.prefix/include/eigen3']
for root in roots:
    for tail in tails:
        d = os.path.join(root, tail)
        if os.path.isfile(os.path.join(d, 'Eigen', 'Core')):
            print(d, end=''); sys.exit()
"
      OUTPUT_VARIABLE _boc_found)
    if(NOT _boc_found)
      message(FATAL_ERROR
        "Eigen's headers were not found. Install them (pip install cmeel-eigen, or the system's Eigen development "
        "package) or point -DEigen3_INCLUDE_DIR=... at them.")
    endif()
    set(BOC_EIGEN_INCLUDE ${_boc_found} CACHE PATH "Eigen's headers" FORCE)
  endif()
  add_library(boc_eigen INTERFACE)
  target_include_directories(boc_eigen SYSTEM INTERFACE $<BUILD_INTERFACE:${BOC_EIGEN_INCLUDE}>)
endif()
