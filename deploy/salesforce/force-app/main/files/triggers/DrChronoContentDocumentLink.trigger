/** A file that is uploaded to a record gets its link with it; one that is deleted starts the trigger on ContentDocument. */
trigger DrChronoContentDocumentLink on ContentDocumentLink(after insert, before delete) {
    DrChronoDocuments.linked(Trigger.isDelete ? Trigger.old : Trigger.new);
}
