# Writes OUTPUT, a C++ file that holds FILES (paths below ROOT) byte for byte.
# cmake -DOUTPUT=... -DROOT=... -DFILES=a;b -P embed.cmake
set(entries "")
foreach(file IN LISTS FILES)
  file(READ ${ROOT}/${file} text)
  # A string literal may hold 64 KiB by the standard; pieces beside each other are one literal.
  string(LENGTH "${text}" length)
  set(pieces "")
  set(at 0)
  while(at LESS length)
    string(SUBSTRING "${text}" ${at} 8000 piece)
    string(APPEND pieces "R\"=====(${piece})=====\"\n")
    math(EXPR at "${at} + 8000")
  endwhile()
  string(APPEND entries "    {\"${file}\", ${pieces}},\n")
endforeach()
file(WRITE ${OUTPUT} "#include \"task/embedded.hpp\"

namespace moonshift::task {

namespace {

constexpr EmbeddedFile kFiles[] = {
${entries}};

}  // namespace

std::span<const EmbeddedFile> embedded_files() { return kFiles; }

}  // namespace moonshift::task
")
