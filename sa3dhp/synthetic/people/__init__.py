"""People to render: MakeHuman bodies, dressed, moved by captured motion, and lit."""
