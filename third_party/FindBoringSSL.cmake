# Finds BoringSSL and defines BoringSSL::SSL and BoringSSL::Crypto.
#
# Looked for, in this order:
#   1. BORINGSSL_ROOT (-DBORINGSSL_ROOT=…): a folder with include/ and lib/ (or BoringSSL's own tree with build/)
#   2. build/third_party/boringssl, where third_party/install.sh puts it
#   3. Debian's android-libboringssl-dev, with a warning: it is compiled for size and several times slower
#
# The include folder must come before /usr/include, where OpenSSL's headers have the same names: it is set BEFORE on the
# targets. Headers found there must be BoringSSL's, or BoringSSL counts as not found: the two must never be mixed.

include(FindPackageHandleStandardArgs)
find_package(Threads REQUIRED)

set(_boringssl_built "${CMAKE_CURRENT_LIST_DIR}/../build/third_party/boringssl")
get_filename_component(_boringssl_built "${_boringssl_built}" ABSOLUTE)

# _boringssl_try(ROOT): sets the three results when ROOT holds them all
macro(_boringssl_try root)
  unset(_boringssl_include CACHE)
  unset(_boringssl_ssl CACHE)
  unset(_boringssl_crypto CACHE)
  find_path(_boringssl_include openssl/base.h PATHS "${root}/include" "${root}/src/include" NO_DEFAULT_PATH)
  find_library(_boringssl_ssl NAMES ssl PATHS "${root}/lib" "${root}/build" "${root}/build/ssl" NO_DEFAULT_PATH)
  find_library(_boringssl_crypto NAMES crypto PATHS "${root}/lib" "${root}/build" "${root}/build/crypto" NO_DEFAULT_PATH)
  if(_boringssl_include AND _boringssl_ssl AND _boringssl_crypto)
    set(BoringSSL_INCLUDE_DIR "${_boringssl_include}")
    set(BoringSSL_SSL_LIBRARY "${_boringssl_ssl}")
    set(BoringSSL_CRYPTO_LIBRARY "${_boringssl_crypto}")
  endif()
  unset(_boringssl_include CACHE)
  unset(_boringssl_ssl CACHE)
  unset(_boringssl_crypto CACHE)
endmacro()

unset(BoringSSL_INCLUDE_DIR)
unset(BoringSSL_SSL_LIBRARY)
unset(BoringSSL_CRYPTO_LIBRARY)
set(_boringssl_link_dir "")

if(BORINGSSL_ROOT)
  _boringssl_try("${BORINGSSL_ROOT}")
  if(NOT BoringSSL_INCLUDE_DIR)
    message(FATAL_ERROR "BORINGSSL_ROOT holds no BoringSSL (include/openssl/base.h, lib/libssl.*, lib/libcrypto.*): "
                        "'${BORINGSSL_ROOT}'")
  endif()
else()
  _boringssl_try("${_boringssl_built}")
  if(NOT BoringSSL_INCLUDE_DIR)
    # Debian's: headers and libraries each in a folder `android` of their own
    find_path(_boringssl_include openssl/base.h PATHS /usr/include/android NO_DEFAULT_PATH)
    find_library(_boringssl_ssl NAMES ssl PATH_SUFFIXES android PATHS "/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/android" NO_DEFAULT_PATH)
    find_library(_boringssl_crypto NAMES crypto PATHS "/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/android" NO_DEFAULT_PATH)
    if(_boringssl_include AND _boringssl_ssl AND _boringssl_crypto)
      set(BoringSSL_INCLUDE_DIR "${_boringssl_include}")
      set(BoringSSL_SSL_LIBRARY "${_boringssl_ssl}")
      set(BoringSSL_CRYPTO_LIBRARY "${_boringssl_crypto}")
      get_filename_component(_boringssl_link_dir "${_boringssl_ssl}" DIRECTORY)
      message(WARNING "BoringSSL: using Debian's android-libboringssl-dev, which is compiled for size; handshakes cost "
                      "several times more CPU. Run third_party/install.sh to build it for speed.")
    endif()
    unset(_boringssl_include CACHE)
    unset(_boringssl_ssl CACHE)
    unset(_boringssl_crypto CACHE)
  endif()
endif()

if(BoringSSL_INCLUDE_DIR)
  file(STRINGS "${BoringSSL_INCLUDE_DIR}/openssl/base.h" _boringssl_mark REGEX "define OPENSSL_IS_BORINGSSL")
  if(NOT _boringssl_mark)
    message(FATAL_ERROR "${BoringSSL_INCLUDE_DIR} holds another OpenSSL's headers, not BoringSSL's")
  endif()
  file(STRINGS "${BoringSSL_INCLUDE_DIR}/openssl/base.h" _boringssl_api REGEX "define BORINGSSL_API_VERSION")
  string(REGEX MATCH "[0-9]+" BoringSSL_VERSION "${_boringssl_api}")
endif()

find_package_handle_standard_args(
  BoringSSL
  REQUIRED_VARS BoringSSL_SSL_LIBRARY BoringSSL_CRYPTO_LIBRARY BoringSSL_INCLUDE_DIR
  VERSION_VAR BoringSSL_VERSION
  REASON_FAILURE_MESSAGE "run third_party/install.sh, or give -DBORINGSSL_ROOT")

if(BoringSSL_FOUND AND NOT TARGET BoringSSL::Crypto)
  add_library(BoringSSL::Crypto INTERFACE IMPORTED)
  target_include_directories(BoringSSL::Crypto SYSTEM BEFORE INTERFACE "${BoringSSL_INCLUDE_DIR}")
  target_link_libraries(BoringSSL::Crypto INTERFACE "${BoringSSL_CRYPTO_LIBRARY}" Threads::Threads)

  add_library(BoringSSL::SSL INTERFACE IMPORTED)
  target_include_directories(BoringSSL::SSL SYSTEM BEFORE INTERFACE "${BoringSSL_INCLUDE_DIR}")
  target_link_libraries(BoringSSL::SSL INTERFACE "${BoringSSL_SSL_LIBRARY}" BoringSSL::Crypto)

  if(_boringssl_link_dir)
    # Debian's shared libraries live where the loader does not look
    target_link_options(BoringSSL::Crypto INTERFACE "-Wl,-rpath,${_boringssl_link_dir}")
  endif()
endif()
