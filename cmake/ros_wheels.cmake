# What ROS 2 from Python wheels needs besides an ordinary build. On an ordinary ROS 2 installation this changes nothing.

# The wheels export targets that carry include folders of the machine on which the wheels were built. CMake refuses
# folders that do not exist; nothing here uses them, so they are dropped.
function(face_expr_drop_missing_include_directories)
  get_property(imported_targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS imported_targets)
    get_target_property(directories ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT directories)
      continue()
    endif()
    set(existing)
    foreach(directory IN LISTS directories)
      if(NOT IS_ABSOLUTE "${directory}" OR EXISTS "${directory}")
        list(APPEND existing "${directory}")
      endif()
    endforeach()
    set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${existing}")
  endforeach()
endfunction()

# The message generator exports NumPy's include folder. In a virtual environment inside this source tree CMake refuses
# that as well ("prefixed in the source directory"); it is needed for the build only.
function(face_expr_keep_local_include_directories_private)
  get_property(targets DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(directories ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT directories)
      continue()
    endif()
    set(wrapped)
    foreach(directory IN LISTS directories)
      string(FIND "${directory}" "${CMAKE_CURRENT_SOURCE_DIR}/" position)
      if(position EQUAL 0)
        set(directory "$<BUILD_INTERFACE:${directory}>")
      endif()
      list(APPEND wrapped "${directory}")
    endforeach()
    set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${wrapped}")
  endforeach()
endfunction()

# Deferred to the end of the directory: the targets do not exist yet.
cmake_language(DEFER CALL face_expr_drop_missing_include_directories)
cmake_language(DEFER CALL face_expr_keep_local_include_directories_private)
