from nichedose.cli.app import main

main()
