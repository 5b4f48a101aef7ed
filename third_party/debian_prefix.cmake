# SPDX-License-Identifier: Apache-2.0
# The CMake toolchain file of a prefix made by debian_prefix.sh, in whose root it lies:
#
#   cmake -B build -DCMAKE_TOOLCHAIN_FILE=/path/of/prefix/toolchain.cmake
#
# The prefix's libraries need the C library that came with them. So programs are linked against
# the host's, and run with the prefix's: its loader and its folder are written into them, and the
# prefix must stay where it is.
list(PREPEND CMAKE_PREFIX_PATH "${CMAKE_CURRENT_LIST_DIR}/usr")

file(GLOB _loader "${CMAKE_CURRENT_LIST_DIR}/usr/lib/*/ld-linux*" "${CMAKE_CURRENT_LIST_DIR}/usr/lib/*/ld64*")
get_filename_component(_lib "${_loader}" DIRECTORY)

# DT_RPATH, not DT_RUNPATH: it also serves the libraries' own dependencies.
set(CMAKE_BUILD_RPATH "${_lib}")
if(NOT DEFINED CMAKE_INSTALL_RPATH)
  set(CMAKE_INSTALL_RPATH "${_lib}")
endif()
string(JOIN " " _link -L${_lib} -Wl,-rpath-link,${_lib} -Wl,--allow-shlib-undefined -Wl,--disable-new-dtags)
set(CMAKE_SHARED_LINKER_FLAGS_INIT "${_link}")
set(CMAKE_MODULE_LINKER_FLAGS_INIT "${_link}")
set(CMAKE_EXE_LINKER_FLAGS_INIT "${_link} -Wl,--dynamic-linker,${_loader}")
