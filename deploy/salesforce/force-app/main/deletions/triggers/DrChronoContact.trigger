trigger DrChronoContact on Contact(after delete, after undelete) {
    DrChronoChanges.told(Trigger.operationType, Trigger.old, Trigger.new);
}
