# ROS 2 from Python wheels exports targets that carry include folders of the machine on which the wheels were built.
# CMake refuses folders that do not exist. Nothing here uses them, so they are dropped at the end of configuration.
# An ordinary ROS 2 installation has no such folders: there this changes nothing.

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

cmake_language(DEFER CALL face_expr_drop_missing_include_directories)
