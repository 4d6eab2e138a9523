// What a shell has to read in order to complete `sluice …`: each asks the program itself for the words that fit, so no
// script gets old. The last word is the one that is being typed; it may be empty. Pure.

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export const scripts: Readonly<Record<Shell, string>> = {
  // COMP_WORDBREAKS has the colon, so what stands before one is cut off the answers.
  bash: `_sluice() {
  local word=\${COMP_WORDS[COMP_CWORD]} line
  COMPREPLY=()
  while IFS= read -r line; do COMPREPLY+=("$(printf '%q' "$line")"); done \\
    < <("\${COMP_WORDS[0]}" completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)
  if [[ $word == *:* && $COMP_WORDBREAKS == *:* ]]; then
    local i
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
