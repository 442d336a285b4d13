# bash completion for moonshift. What there is, the program itself says.

_moonshift_options() {
  moonshift "$1" --help 2>/dev/null | grep -oE '^ +(-[a-z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+'
}

_moonshift_words() {
  case $1 in
    run | scripts) moonshift scripts 2>/dev/null | awk 'NR > 1 { print $1 }' ;;
    verify) moonshift scripts 2>/dev/null | awk 'sub(/^checks\//, "") { print $1 }' ;;
    job) moonshift jobs 2>/dev/null | awk 'NR > 1 { print $1 }' ;;
    help) _moonshift_commands ;;
  esac
}

_moonshift_commands() {
  moonshift --help 2>/dev/null | awk '/^  [a-z]+ / { print $1 }'
}

_moonshift() {
  local word=${COMP_WORDS[COMP_CWORD]} words
  if ((COMP_CWORD == 1)); then
    words=$(_moonshift_commands)
  elif [[ $word == -* ]]; then
    words=$(_moonshift_options "${COMP_WORDS[1]}")
  else
    words=$(_moonshift_words "${COMP_WORDS[1]}")
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -o default -F _moonshift moonshift
