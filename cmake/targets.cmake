# ballast_library(NAME SOURCES ... LIBRARIES ...): a static library of ours.
function(ballast_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC ${ARG_LIBRARIES} PRIVATE ballast_warnings)
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  # Headers that a tool writes must be there before anything of ours is compiled.
  add_dependencies(${name} generated_code)
endfunction()

# ballast_program(NAME SOURCES ... LIBRARIES ...): a program of ours.
function(ballast_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} ballast_warnings)
endfunction()

# ballast_unit_tests(FOLDER LIBRARIES ...): all of tests/unit/FOLDER as one program, every test known to ctest.
include(GoogleTest)
function(ballast_unit_tests folder)
  cmake_parse_arguments(ARG "" "" "LIBRARIES" ${ARGN})
  string(REPLACE "/" "_" name "${folder}_test")
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/${folder}/*.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} ballast_warnings GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name} TEST_PREFIX "unit/${folder}/" DISCOVERY_MODE PRE_TEST
                       WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}  # tests read conf/
                       DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit TIMEOUT 120)
endfunction()
