#include "cli/command.hpp"

int main(int argc, char** argv) { return moonshift::cli::main(argc, argv); }
