# find_package(experiments) gives the target experiments::reporter.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/experiments-targets.cmake)
