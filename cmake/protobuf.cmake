# ballast_protobuf(NAME PATH LIBRARIES ...): the code of one .proto, named by its path from the root, as a library of its
# own that is compiled without our warnings. Whoever includes "PATH.pb.h" depends on NAME.
#
# Not protobuf_generate(): depending on its version it makes the header's path relative to the folder that calls it.
add_custom_target(generated_code)
function(ballast_protobuf name path)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LIBRARIES" ${ARGN})
  set(generated ${CMAKE_BINARY_DIR}/generated)
  file(MAKE_DIRECTORY ${generated})
  string(REGEX REPLACE "\\.proto$" ".pb" output ${generated}/${path})
  list(TRANSFORM ARG_DEPENDS PREPEND ${CMAKE_SOURCE_DIR}/)
  add_custom_command(
    OUTPUT ${output}.cc ${output}.h
    COMMAND protobuf::protoc --cpp_out=${generated} -I ${CMAKE_SOURCE_DIR} ${path}
    DEPENDS ${CMAKE_SOURCE_DIR}/${path} ${ARG_DEPENDS} protobuf::protoc
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} VERBATIM)
  add_custom_target(${name}_generated DEPENDS ${output}.cc ${output}.h)
  add_dependencies(generated_code ${name}_generated)
  add_library(${name} STATIC ${output}.cc ${output}.h)
  add_dependencies(${name} ${name}_generated)
  target_include_directories(${name} SYSTEM PUBLIC ${generated})
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf ${ARG_LIBRARIES})
endfunction()
