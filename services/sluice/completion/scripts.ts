// What a shell has to read in order to complete `sluice …`: each asks the program itself for the words that fit, so no
// script gets old. The last word is the one that is being typed; it may be empty. Pure.

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export const scripts: Readonly<Record<Shell, string>> = {
  // COMP_WORDBREAKS has the colon: words are cut there, and what is inserted is what follows the last one.
  bash: `_sluice() {
  local rest=\${COMP_LINE:0:COMP_POINT} word='' line i words=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    local blank=\${rest%%[![:space:]]*}
    rest=\${rest#"$blank"}
    if ((i == COMP_CWORD)); then line=$rest; else line=\${COMP_WORDS[i]}; fi
    rest=\${rest#"$line"}
    if [[ -z $blank && ( $word == *: || ( -n $word && $line == :* ) ) ]]; then
      word+=$line
      words[\${#words[@]}-1]=$word
    else
      word=$line
      words+=("$word")
    fi
  done
  COMPREPLY=()
  while IFS= read -r line; do COMPREPLY+=("$(printf '%q' "$line")"); done \\
    < <("\${words[0]}" completion words -- "\${words[@]:1}" 2> /dev/null)
  if [[ $word == *:* && $COMP_WORDBREAKS == *:* ]]; then
    for i in "\${!COMPREPLY[@]}"; do COMPREPLY[i]=\${COMPREPLY[i]#"\${word%"\${word##*:}"}"}; done
  fi
}
complete -o default -F _sluice sluice
`,
  zsh: `#compdef sluice
_sluice() {
  local -a found
  found=("\${(@f)$("\${words[1]}" completion words -- "\${(@)words[2,CURRENT]}" 2> /dev/null)}")
  found=("\${(@)found:#}")
  if (( \${#found} )); then compadd -a found; else _files; fi
}
if [ "$funcstack[1]" = "_sluice" ]; then _sluice "$@"; else compdef _sluice sluice; fi
`,
  fish: `function __sluice_words
  set -l words (commandline -opc) (commandline -ct)
  $words[1] completion words -- $words[2..-1] 2> /dev/null
end
complete -c sluice -a '(__sluice_words)'
`,
};
