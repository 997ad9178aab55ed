# Completion of experiments-agent in bash.
_experiments_agent() {
        local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
        local flags="--dir --metrics --filter --to --state --socket --server --ca-file --token-file --client-cert --client-key
                --namespace --job --output --interval --grace --axis --aggregate --objective --owner --follow-symlinks --watch
                --verbose --log-format --help --version"

        local i run=

        COMPREPLY=()
        if [[ ${COMP_WORDS[1]} == run && $COMP_CWORD -gt 1 ]]; then
                run="--stop-signal --install"
                # From the first word on that is no flag, and no argument of one, it is somebody else's command.
                for ((i = 2; i < COMP_CWORD; i++)); do
                        case ${COMP_WORDS[i]} in
                        --) _command_offset $((i + 1)) 2>/dev/null; return ;;
                        --follow-symlinks|--watch|--verbose|-[wv]|--*=*) ;;
                        -*) ((i++)) ;;
                        *) _command_offset "$i" 2>/dev/null; return ;;
                        esac
                done
        fi
        if [[ ${COMP_WORDS[1]} == parse && $COMP_CWORD -gt 1 ]]; then
                if [[ $word == -* ]]; then
                        mapfile -t COMPREPLY < <(compgen -W "--records --why --filter --format" -- "$word")
                else
                        mapfile -t COMPREPLY < <(compgen -f -- "$word")
                fi
                return
        fi
        if [[ ${COMP_WORDS[1]} == report && $COMP_CWORD -gt 1 ]]; then
                case $before in
                --checkpoint|--socket) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
                --output) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
                --epoch|--step|--time|--epochs|--parameter|--end|--wait|-p) ;;
                *) mapfile -t COMPREPLY < <(compgen -W "--epoch --step --time --epochs --checkpoint --output --parameter --end
                        --socket --wait --help" -- "$word") ;;
                esac
                return
        fi
        if [[ ${COMP_WORDS[1]} == state && $COMP_CWORD -gt 1 ]]; then
                case $before in
                --output|-o) mapfile -t COMPREPLY < <(compgen -W "text json" -- "$word") ;;
                *) if [[ $word == -* ]]; then
                           mapfile -t COMPREPLY < <(compgen -W "--output --help" -- "$word")
                   else
                           mapfile -t COMPREPLY < <(compgen -d -- "$word")
                   fi ;;
                esac
                return
        fi
        case $before in
        --dir|--to|--state|--install|-d|-t) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
        --metrics|--ca-file|--token-file|--client-cert|--client-key|-m)
                mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
        --axis) mapfile -t COMPREPLY < <(compgen -W "auto epoch step trial row" -- "$word") ;;
        --aggregate) mapfile -t COMPREPLY < <(compgen -W "last mean min max" -- "$word") ;;
        --owner) mapfile -t COMPREPLY < <(compgen -W "auto experiment job none" -- "$word") ;;
        --log-format) mapfile -t COMPREPLY < <(compgen -W "text json" -- "$word") ;;
        --stop-signal) mapfile -t COMPREPLY < <(compgen -W "TERM INT HUP USR1 USR2" -- "$word") ;;
        --filter|--server|--namespace|--job|--output|--interval|--grace|--objective|-[fsnjoi]) ;;
        *) if [[ $COMP_CWORD -eq 1 ]]; then flags="run report parse state $flags"; fi
           flags+=" $run"
           if [[ $run && $word != -* ]]; then
                   mapfile -t COMPREPLY < <(compgen -c -- "$word")
                   return
           fi
           mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$word") ;;
        esac
}
complete -o filenames -F _experiments_agent experiments-agent
