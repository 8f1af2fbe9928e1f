/** Once a file is deleted its versions cannot be asked for; a link that goes with it starts no trigger. */
trigger DrChronoContentDocument on ContentDocument(after update, before delete, after undelete) {
    DrChronoDocuments.told(Trigger.operationType, Trigger.old, Trigger.new);
}
