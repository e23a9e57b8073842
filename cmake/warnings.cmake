# Warnings are errors in every target of ours; generated code is compiled without them.
add_library(ballast_warnings INTERFACE)
target_compile_options(ballast_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Woverloaded-virtual -Werror)

target_compile_definitions(ballast_warnings INTERFACE BALLAST_VERSION="${PROJECT_VERSION}")

# Headers are included by path from the root: "dataplane/packet/checksum.h".
target_include_directories(ballast_warnings INTERFACE ${CMAKE_SOURCE_DIR})

if(BALLAST_SANITIZE)
  add_compile_options(-fsanitize=${BALLAST_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BALLAST_SANITIZE})
  if(BALLAST_SANITIZE MATCHES thread)
    add_compile_options(-Wno-tsan)  # Asio has a fence that the sanitizer does not know
  endif()
endif()
